/// The head of a request as it comes in, cut anywhere.
///
/// Performs no I/O. Empty lines before it are passed over (RFC 9112, section 2.2). A line may end without a CR, which
/// the same section allows.
struct IncomingHead {
    /// How a head ends.
    enum End {
        /// With its empty line.
        case whole
        case failed(RequestFault)
    }

    /// Bytes that a head may have.
    let limit: Int
    /// What has come of it.
    private(set) var bytes: [UInt8] = []
    /// Set once nothing more belongs to it.
    private(set) var end: End?

    init(limit: Int) { self.limit = limit }

    /// Takes the bytes that belong to the head and returns their count; what is behind its end does not.
    mutating func take(_ piece: Span<UInt8>) -> Int {
        var taken = 0
        while taken < piece.count, end == nil {
            take(piece[taken])
            taken += 1
        }
        return taken
    }

    private mutating func take(_ byte: UInt8) {
        if bytes.isEmpty {
            guard byte != Self.lineFeed, byte != Self.carriageReturn else { return }
            guard HTTPToken.contains(byte) else {
                end = .failed(.noHTTP)
                return
            }
            bytes.reserveCapacity(512)
        }
        bytes.append(byte)
        guard byte == Self.lineFeed, endsWithEmptyLine else {
            if bytes.count == limit {
                end = .failed(.tooLong(isTarget: !bytes.contains(Self.lineFeed), limit: limit))
            }
            return
        }
        end = .whole
    }

    private var endsWithEmptyLine: Bool {
        bytes.suffix(2).elementsEqual([Self.lineFeed, Self.lineFeed])
            || bytes.suffix(3).elementsEqual([Self.lineFeed, Self.carriageReturn, Self.lineFeed])
    }

    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")
}
