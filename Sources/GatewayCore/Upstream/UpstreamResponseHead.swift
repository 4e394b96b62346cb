/// Status and headers of an upstream's final response, as far as the gateway has a use for them.
package struct UpstreamResponseHead: Equatable, Sendable {
    /// One header field; the name is in lower case, the value without surrounding blanks.
    package struct Field: Equatable, Sendable {
        /// What it is; nil for one without a use.
        package let header: UpstreamHeader?
        package let name: String
        package let value: String

        /// Makes a field; `name` must be in lower case.
        package init(name: String, value: String) {
            self.init(UpstreamHeader(name: name), name: name, value: value)
        }

        fileprivate init(_ header: UpstreamHeader?, name: String, value: String) {
            self.header = header
            self.name = name
            self.value = value
        }
    }

    /// 200 to 999: interim (1xx) responses never become a head.
    package let status: Int
    /// In the order of arrival; fields without a use here, cookies above all, are dropped.
    package let fields: [Field]

    /// Makes a head from its parts.
    package init(status: Int, fields: [Field]) {
        self.status = status
        self.fields = fields
    }

    /// The value of the first such field.
    package subscript(header: UpstreamHeader) -> String? {
        for field in fields where field.header == header { return field.value }
        return nil
    }

    /// True for 200 to 299.
    package var isSuccess: Bool { (200..<300).contains(status) }

    /// The media type in lower case without parameters; nil when upstream names none.
    package var mediaType: String? {
        guard let value = self[.contentType] else { return nil }
        let type = value.utf8.prefix { byte in
            byte != UInt8(ascii: ";") && byte != UInt8(ascii: " ") && byte != UInt8(ascii: "\t")
        }
        return type.isEmpty ? nil : Substring(type).lowercased()
    }

    /// Upstream's own name for this request, for its support: OpenAI's, else Azure's, else the edge's.
    package var requestID: String? {
        self[.requestID] ?? self[.azureRequestID] ?? self[.plainRequestID] ?? self[.edgeRequestID]
    }

    /// The head with nothing but what diagnoses need: status and upstream's name for the request.
    ///
    /// For as long as the body streams; rate limits and the rest were read when the head came.
    package var abridged: UpstreamResponseHead {
        let kept = fields.filter { field in
            switch field.header {
            case .requestID, .azureRequestID, .plainRequestID, .edgeRequestID: true
            default: false
            }
        }
        return UpstreamResponseHead(status: status, fields: kept)
    }

    /// How long upstream asks us to wait; nil when it asks for nothing that can be understood.
    ///
    /// `retry-after-ms` wins over `retry-after`. A date counts from the response's own `date`, so that
    /// a wrong clock on either side does not matter, else from `unixSeconds`.
    package func retryAfter(unixSeconds: Int64?) -> Duration? {
        if let value = self[.retryAfterMilliseconds], let milliseconds = Double(plainDecimal: value)
        {
            return .seconds(milliseconds / 1_000)
        }
        guard let value = self[.retryAfter] else { return nil }
        if let seconds = Double(plainDecimal: value) { return .seconds(seconds) }
        guard let date = HTTPDate.unixSeconds(value) else { return nil }
        guard let now = self[.date].flatMap(HTTPDate.unixSeconds) ?? unixSeconds else {
            return nil
        }
        return .seconds(max(0, date - now))
    }

    /// What `x-should-retry` says; nil when it is absent or neither `true` nor `false`.
    package var shouldRetry: Bool? {
        switch self[.shouldRetry] {
        case "true"?: true
        case "false"?: false
        default: nil
        }
    }
}

extension Double {
    /// A number of at most 12 digits and one point, zero or more; no sign, exponent or name.
    fileprivate init?(plainDecimal text: String) {
        guard !text.isEmpty, text.utf8.count <= 12,
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E })
        else { return nil }
        self.init(text)
    }
}

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

/// Dates as HTTP writes them, and has written them (RFC 9110, section 5.6.7).
enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT" or "Sun Nov  6 08:49:37 1994" in seconds
    /// since 1970, or nil.
    static func unixSeconds(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        switch words.count {
        case 6 where words[0].hasSuffix(",") && words[5] == "GMT":
            return unixSeconds(
                day: number(words[1], digits: 2), month: words[2],
                year: number(words[3], digits: 4), clock: words[4])
        case 4 where words[0].hasSuffix(",") && words[3] == "GMT":
            let date = words[1].split(separator: "-", omittingEmptySubsequences: false)
            guard date.count == 3, let year = number(date[2], digits: 2) else { return nil }
            // Nobody wrote such dates before 1970.
            return unixSeconds(
                day: number(date[0], digits: 2), month: date[1],
                year: year + (year < 70 ? 2000 : 1900), clock: words[2])
        case 5:
            return unixSeconds(
                day: number(words[2], digits: words[2].utf8.count == 1 ? 1 : 2), month: words[1],
                year: number(words[4], digits: 4), clock: words[3])
        default: return nil
        }
    }

    private static func unixSeconds(
        day: Int?, month: Substring, year: Int?, clock: Substring
    ) -> Int64? {
        guard let day, (1...31).contains(day), let year,
            let month = months.firstIndex(where: { $0 == month })
        else { return nil }
        let clock = clock.split(separator: ":", omittingEmptySubsequences: false)
        guard clock.count == 3, let hour = number(clock[0], digits: 2), hour < 24,
            let minute = number(clock[1], digits: 2), minute < 60,
            let second = number(clock[2], digits: 2), second <= 60
        else { return nil }
        // Days from civil (Hinnant): years begin in March, so that a leap day ends them.
        let shifted = month < 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 10) % 12) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = Int64(era * 146_097 + dayOfEra - 719_468)
        return days * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
    }

    private static func number(_ text: Substring, digits: Int) -> Int? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int(text)
    }
}
