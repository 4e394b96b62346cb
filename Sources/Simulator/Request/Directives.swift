/// What a request, its model's name or a command-line flag asks of the simulator.
///
/// Written as words and settings: `reasoning`, `fault=cut after=5`, `rate=100`. In a request they stand in
/// markers anywhere in the newest input, `[sim:fault=cut after=5]`, or in `metadata.sim`.
package struct Directives: Equatable, Sendable {
    /// The bare words, in order: names of scenarios.
    package private(set) var words: [String] = []
    /// The settings; a later one wins.
    package private(set) var settings: [String: String] = [:]

    package init() {}

    /// Reads `text`: words and `key=value` settings, separated by spaces or commas.
    package init(_ text: some StringProtocol) { add(text) }

    /// Reads the value of `--fault`, where the first bare word may name the fault.
    package init(fault text: String) {
        add(text)
        if settings["fault"] == nil, !words.isEmpty { settings["fault"] = words.removeFirst() }
    }

    package subscript(key: String) -> String? {
        get { settings[key] }
        set { settings[key] = newValue }
    }

    package func integer(_ key: String) -> Int? { settings[key].flatMap { Int($0) } }

    package func double(_ key: String) -> Double? { settings[key].flatMap { Double($0) } }

    /// Adds the words and settings of `text`.
    package mutating func add(_ text: some StringProtocol) {
        for part in text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == "\n" }) {
            if let equals = part.firstIndex(of: "=") {
                settings[String(part[..<equals])] = String(part[part.index(after: equals)...])
            } else {
                words.append(String(part))
            }
        }
    }

    /// Adds only the `key=value` settings of a sentence, and ignores its words.
    package mutating func addSettings(of sentence: some StringProtocol) {
        var found = Directives()
        found.add(sentence)
        merge(Directives(words: [], settings: found.settings))
    }

    /// Adds `other`; its settings win.
    package mutating func merge(_ other: Directives) {
        words += other.words
        settings.merge(other.settings) { $1 }
    }

    private init(words: [String], settings: [String: String]) {
        self.words = words
        self.settings = settings
    }

    private static let opening = "[sim:"

    /// Takes the markers out of `text`: what they say, and the text without them.
    package static func extract(from text: String) -> (directives: Directives, rest: String) {
        var directives = Directives()
        var rest: [UInt8] = []
        var bytes = Array(text.utf8)[...]
        while let start = bytes.firstRange(of: opening),
            let end = bytes[start.upperBound...].firstIndex(of: UInt8(ascii: "]"))
        {
            rest += bytes[..<start.lowerBound]
            directives.add(String(decoding: bytes[start.upperBound..<end], as: UTF8.self))
            bytes = bytes[(end + 1)...]
        }
        rest += bytes
        return (directives, trimmed(rest[...]))
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
        var bytes = bytes
        while let first = bytes.first, first == 0x20 || first == 0x0A { bytes.removeFirst() }
        while let last = bytes.last, last == 0x20 || last == 0x0A { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension ArraySlice<UInt8> {
    /// Where the bytes of `needle` begin and end, the first time.
    fileprivate func firstRange(of needle: String) -> Range<Int>? {
        let needle = Array(needle.utf8)
        guard count >= needle.count, let first = needle.first else { return nil }
        var index = startIndex
        while let found = self[index...].firstIndex(of: first), found + needle.count <= endIndex {
            if self[found..<found + needle.count].elementsEqual(needle) {
                return found..<found + needle.count
            }
            index = found + 1
        }
        return nil
    }
}
