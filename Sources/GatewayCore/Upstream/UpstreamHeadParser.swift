/// Reads the response head line by line, wherever interim responses and trailers stand around it.
///
/// Refuses more than `maximumBytes` of header lines. A field that is not known here costs nothing,
/// one whose value is longer than 1 024 bytes is dropped, and at most 48 fields are kept.
package struct UpstreamHeadParser {
    /// What a line brought.
    package enum Step: Equatable {
        /// The head goes on.
        case more
        /// The final response's head is complete. It comes once; whatever follows (trailers) is `more`.
        case complete(UpstreamResponseHead)
    }

    /// Why the head is refused.
    package enum Failure: Error, Equatable {
        case tooLarge(limitBytes: Int)
        case malformedStatusLine
        /// A 101, which nobody asks an upstream for: what follows is no HTTP.
        case switchedProtocols
    }

    private static var maximumValueBytes: Int { 1_024 }
    private static var maximumFields: Int { 48 }

    private let maximumBytes: Int
    private var bytes = 0
    private var status = 0
    private var fields: [UpstreamResponseHead.Field] = []
    /// True once the final head was handed out.
    private var isComplete = false

    /// As many as servers send; a list that grew between libcurl's own copies of the lines would leave gaps there.
    private static var usualFields: Int { 12 }

    /// Makes a parser for one exchange.
    package init(maximumBytes: Int) {
        self.maximumBytes = maximumBytes
        fields.reserveCapacity(Self.usualFields)
    }

    /// Takes one line with its line end; an empty line ends a head.
    package mutating func feed(_ line: Span<UInt8>) throws(Failure) -> Step {
        guard !isComplete else { return .more }
        bytes += line.count
        guard bytes <= maximumBytes else { throw .tooLarge(limitBytes: maximumBytes) }
        var end = line.count
        while end > 0, line[end - 1] == UInt8(ascii: "\n") || line[end - 1] == UInt8(ascii: "\r") {
            end -= 1
        }
        if end == 0 { return endHead() }
        if status == 0 {
            status = try Self.status(of: line, end: end)
            if status == 101 { throw .switchedProtocols }
        } else {
            addField(line, end: end)
        }
        return .more
    }

    private mutating func endHead() -> Step {
        guard status >= 200 else {
            // An interim response, or an empty line before any status: the head is still to come.
            status = 0
            fields.removeAll(keepingCapacity: true)
            return .more
        }
        isComplete = true
        defer { fields = [] }
        return .complete(UpstreamResponseHead(status: status, fields: fields))
    }

    /// "HTTP/1.1 200 OK", "HTTP/2 200".
    private static func status(of line: Span<UInt8>, end: Int) throws(Failure) -> Int {
        guard end >= 4, line[0] == UInt8(ascii: "H"), line[1] == UInt8(ascii: "T"),
            line[2] == UInt8(ascii: "T"), line[3] == UInt8(ascii: "P")
        else { throw .malformedStatusLine }
        var index = 4
        while index < end, line[index] != UInt8(ascii: " ") { index += 1 }
        while index < end, line[index] == UInt8(ascii: " ") { index += 1 }
        var value = 0
        var digits = 0
        while index < end, digits < 3, (0x30...0x39).contains(line[index]) {
            value = value * 10 + Int(line[index] - 0x30)
            digits += 1
            index += 1
        }
        guard digits == 3, value >= 100, index == end || line[index] == UInt8(ascii: " ") else {
            throw .malformedStatusLine
        }
        return value
    }

    private mutating func addField(_ line: Span<UInt8>, end: Int) {
        guard fields.count < Self.maximumFields else { return }
        var colon = 0
        while colon < end, line[colon] != UInt8(ascii: ":") { colon += 1 }
        // A line without a name (a folded one) has no use either.
        guard colon < end,
            let (header, name) = UpstreamHeader.recognise(line, colon: colon)
        else { return }
        var first = colon + 1
        var last = end
        while first < last, Self.isBlank(line[first]) { first += 1 }
        while last > first, Self.isBlank(line[last - 1]) { last -= 1 }
        guard last - first <= Self.maximumValueBytes else { return }
        var value: [UInt8] = []
        value.append(line, first..<last)
        fields.append(.init(header, name: name, value: String(decoding: value, as: UTF8.self)))
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }
}
