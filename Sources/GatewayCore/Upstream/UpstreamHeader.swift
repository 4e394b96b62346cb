/// The header fields of an upstream's response that the gateway has a use for.
///
/// An enumeration, so that a head of twenty fields is looked into without comparing texts.
package enum UpstreamHeader: String, CaseIterable, Sendable {
    case contentType = "content-type"
    case contentEncoding = "content-encoding"
    case contentLength = "content-length"
    case date = "date"
    case location = "location"
    case server = "server"
    case retryAfter = "retry-after"
    case retryAfterMilliseconds = "retry-after-ms"
    case shouldRetry = "x-should-retry"
    case requestID = "x-request-id"
    case azureRequestID = "apim-request-id"
    case plainRequestID = "request-id"
    case edgeRequestID = "cf-ray"
    case processingTime = "openai-processing-ms"
    case version = "openai-version"
    case model = "openai-model"
    case organization = "openai-organization"
    case project = "openai-project"
    case limitRequests = "x-ratelimit-limit-requests"
    case limitTokens = "x-ratelimit-limit-tokens"
    case remainingRequests = "x-ratelimit-remaining-requests"
    case remainingTokens = "x-ratelimit-remaining-tokens"
    case resetRequests = "x-ratelimit-reset-requests"
    case resetTokens = "x-ratelimit-reset-tokens"
    /// Another limit of upstream's: its clients may know what it means.
    case otherLimit = "x-ratelimit-"

    /// The longest name that is looked at, in bytes.
    static let maximumNameBytes = 40

    private struct Spelling {
        let header: UpstreamHeader
        let name: String
    }

    /// Every name, by its length in bytes.
    private static let spellings: [[Spelling]] = {
        var byLength = Array(repeating: [Spelling](), count: maximumNameBytes + 1)
        for header in allCases where header != .otherLimit {
            byLength[header.rawValue.utf8.count].append(
                Spelling(header: header, name: header.rawValue))
        }
        return byLength
    }()

    /// The field that a line begins with, up to its colon, in any case of letters.
    ///
    /// Nil for a name without a use here. The name comes in lower case.
    static func recognise(
        _ line: Span<UInt8>, colon: Int
    ) -> (header: UpstreamHeader, name: String)? {
        guard colon > 0, colon <= maximumNameBytes else { return nil }
        for spelling in spellings[colon] where begins(line, with: spelling.name) {
            return (spelling.header, spelling.name)
        }
        let prefix = otherLimit.rawValue
        guard colon > prefix.utf8.count, begins(line, with: prefix) else { return nil }
        var name: [UInt8] = []
        name.reserveCapacity(colon)
        for index in 0..<colon { name.append(lowercased(line[index])) }
        return (.otherLimit, String(decoding: name, as: UTF8.self))
    }

    /// The field of a name in lower case.
    init?(name: String) {
        if let header = Self(rawValue: name) {
            self = header
        } else if name.hasPrefix(Self.otherLimit.rawValue) {
            self = .otherLimit
        } else {
            return nil
        }
    }

    private static func begins(_ line: Span<UInt8>, with name: String) -> Bool {
        let name = name.utf8.span
        var index = 0
        while index < name.count {
            guard lowercased(line[index]) == name[index] else { return false }
            index += 1
        }
        return true
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
}
