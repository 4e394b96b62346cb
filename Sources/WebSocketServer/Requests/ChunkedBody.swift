/// Takes a body in chunks apart, cut anywhere (RFC 9112, section 7.1).
///
/// Performs no I/O. Line ends are CR LF here, without leniency: those who are lenient in different ways read different
/// requests. Extensions and trailers are passed over, within `limitBytes` of each line and of all trailers.
struct ChunkedBody {
    /// How a body ends.
    enum End: Equatable { case whole, broken }

    static let limitBytes = 4096

    private enum Place {
        /// A chunk's size has so many digits so far.
        case size(value: Int, digits: Int)
        /// Behind the size, passed over: so many bytes so far.
        case `extension`(count: Int)
        /// The LF behind a size.
        case sizeEnd
        /// That many bytes of a chunk are still to come.
        case data(remaining: Int)
        /// The CR LF behind a chunk.
        case dataEnd(isLast: Bool)
        /// Trailers: so many bytes so far, and whether a line begins.
        case trailer(count: Int, isStart: Bool)
        /// The LF behind a trailer, or behind all.
        case trailerEnd(count: Int, isLast: Bool)
    }

    private var place = Place.size(value: 0, digits: 0)
    private var size = 0

    /// Moves what is of the body to the front of `bytes`, in its order.
    ///
    /// Returns how much that is, and the end once it is reached; behind it nothing is looked at.
    mutating func take(_ bytes: inout MutableSpan<UInt8>) -> (count: Int, end: End?) {
        var kept = 0
        var read = 0
        while read < bytes.count {
            if case .data(let remaining) = place {
                let count = min(remaining, bytes.count - read)
                for offset in 0..<count { bytes[kept + offset] = bytes[read + offset] }
                kept += count
                read += count
                place =
                    count < remaining
                    ? .data(remaining: remaining - count) : .dataEnd(isLast: false)
                continue
            }
            if let end = take(bytes[read]) { return (kept, end) }
            read += 1
        }
        return (kept, nil)
    }

    /// Takes a byte that is not of the body.
    private mutating func take(_ byte: UInt8) -> End? {
        let isReturn = byte == UInt8(ascii: "\r")
        let isFeed = byte == UInt8(ascii: "\n")
        switch place {
        case .size(let value, let digits):
            if let digit = Character(UnicodeScalar(byte)).hexDigitValue, digits < 15 {
                place = .size(value: value << 4 | digit, digits: digits + 1)
            } else if digits > 0, isReturn {
                (size, place) = (value, .sizeEnd)
            } else if digits > 0, byte == UInt8(ascii: ";") || byte == 0x20 || byte == 0x09 {
                (size, place) = (value, .extension(count: 1))
            } else {
                return .broken
            }
        case .extension(let count):
            guard !isFeed, isReturn || count < Self.limitBytes else { return .broken }
            place = isReturn ? .sizeEnd : .extension(count: count + 1)
        case .sizeEnd:
            guard isFeed else { return .broken }
            place = size == 0 ? .trailer(count: 0, isStart: true) : .data(remaining: size)
        case .data: break
        case .dataEnd(let isLast):
            guard isLast ? isFeed : isReturn else { return .broken }
            place = isLast ? .size(value: 0, digits: 0) : .dataEnd(isLast: true)
        case .trailer(let count, let isStart):
            guard !isFeed, isReturn || count < Self.limitBytes else { return .broken }
            place =
                isReturn
                ? .trailerEnd(count: count, isLast: isStart)
                : .trailer(count: count + 1, isStart: false)
        case .trailerEnd(let count, let isLast):
            guard isFeed else { return .broken }
            if isLast { return .whole }
            place = .trailer(count: count, isStart: true)
        }
        return nil
    }
}
