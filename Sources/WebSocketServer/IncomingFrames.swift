internal import GatewayCore

/// Reads along what one client sends, before libwebsockets does: holds it to rules that the library does not know, and
/// takes the pings out, of which the library would answer one a read.
///
/// Performs no I/O. A frame may be cut anywhere; nothing of it is kept but of a ping. What fails here is never the
/// library's, nor is anything behind it.
///
/// Source: RFC 6455, sections 5.1 to 5.5. No extension is ever agreed on, so no reserved bit has a meaning.
struct IncomingFrames {
    /// A rule that the client broke; each is answered by 1002.
    enum Failure: Error, Equatable {
        case unmasked
        case reservedBits
        case reservedOpcode(UInt8)
        case fragmentedControl
        case longControl
        case wastefulLength
        case excessiveLength
        case nothingToContinue
        case unfinishedMessage

        /// For the close frame: what was wrong, and what the rule is.
        var reason: String {
            switch self {
            case .unmasked: "a client's frames are masked"
            case .reservedBits: "a reserved bit is set, and no extension was agreed on"
            case .reservedOpcode(let opcode): "opcode \(opcode) is reserved"
            case .fragmentedControl: "a control frame comes whole"
            case .longControl: "a control frame has at most 125 bytes"
            case .wastefulLength: "a length has as few bytes as it needs"
            case .excessiveLength: "a length has at most 63 bits"
            case .nothingToContinue: "a continuation without a message"
            case .unfinishedMessage: "a message begins before the last one has ended"
            }
        }
    }

    private enum Place {
        /// The first byte of a frame comes next.
        case start
        /// The mask and the short length.
        case length
        /// That many bytes of a long length are still to come behind `value`.
        case longLength(remaining: UInt8, of: UInt8, value: UInt64)
        /// The masking key and the payload, of which that many bytes are still to come.
        case body(remaining: UInt64)
        /// Behind a close frame nothing is looked at.
        case ended
    }

    private enum Opcode {
        static let continuation: UInt8 = 0
        static let binary: UInt8 = 2
        static let close: UInt8 = 8
        static let ping: UInt8 = 9
        static let pong: UInt8 = 10
    }

    private static let keyBytes = 4

    private var place = Place.start
    private var opcode: UInt8 = 0
    /// A message has begun whose last frame has not come.
    private var isInMessage = false
    /// The masking key and the payload of a ping, as far as they have come: at most 129 bytes.
    private var ping: [UInt8] = []

    /// Consumes `bytes`, and lends the payload of each ping that ends in them.
    ///
    /// What is not a ping's is moved to the front, in its order. Returns how much that is, and the rule that was broken
    /// behind it, after which nothing more may be asked.
    mutating func take(
        _ bytes: inout MutableSpan<UInt8>, pinged: (Span<UInt8>) -> Void
    ) -> (count: Int, failure: Failure?) {
        var read = 0
        var kept = 0
        // The frame's beginning in these bytes: where its header turns out wrong, none of it is handed on.
        var frame = 0
        while read < bytes.count {
            let count: Int
            switch place {
            case .start, .length, .longLength:
                if case .start = place { frame = kept }
                do throws(Failure) {
                    try takeHeader(bytes[read])
                } catch {
                    return (frame, error)
                }
                count = 1
            case .body(let remaining):
                count = Int(min(remaining, UInt64(bytes.count - read)))
                if isPing { ping.append(bytes.span, read..<read + count) }
                if UInt64(count) < remaining {
                    place = .body(remaining: remaining - UInt64(count))
                } else {
                    if isPing { answer(pinged) }
                    place = opcode == Opcode.close ? .ended : .start
                }
            case .ended:
                count = bytes.count - read
            }
            if !isPing {
                bytes.move(read..<read + count, to: kept)
                kept += count
            }
            read += count
        }
        return (kept, nil)
    }

    /// Takes a byte of a frame's header.
    private mutating func takeHeader(_ byte: UInt8) throws(Failure) {
        switch place {
        case .start:
            try begin(byte)
            place = .length
        case .length:
            guard byte & 0x80 != 0 else { throw .unmasked }
            let length = byte & 0x7F
            if isControl, length > 125 { throw .longControl }
            switch length {
            case 126: place = .longLength(remaining: 2, of: 2, value: 0)
            case 127: place = .longLength(remaining: 8, of: 8, value: 0)
            default: beginBody(UInt64(length))
            }
        case .longLength(let remaining, let all, let earlier):
            let value = earlier << 8 | UInt64(byte)
            guard remaining == 1 else {
                place = .longLength(remaining: remaining - 1, of: all, value: value)
                return
            }
            guard value <= UInt64(Int64.max) else { throw .excessiveLength }
            guard value > (all == 2 ? 125 : 0xFFFF) else { throw .wastefulLength }
            beginBody(value)
        case .body, .ended: break
        }
    }

    private mutating func begin(_ byte: UInt8) throws(Failure) {
        opcode = byte & 0x0F
        guard byte & 0x70 == 0 else { throw .reservedBits }
        let isFinal = byte & 0x80 != 0
        switch opcode {
        case Opcode.continuation:
            guard isInMessage else { throw .nothingToContinue }
            isInMessage = !isFinal
        case ...Opcode.binary:
            guard !isInMessage else { throw .unfinishedMessage }
            isInMessage = !isFinal
        case Opcode.close...Opcode.pong:
            guard isFinal else { throw .fragmentedControl }
        default: throw .reservedOpcode(opcode)
        }
    }

    private var isControl: Bool { opcode & 0x8 != 0 }
    private var isPing: Bool { opcode == Opcode.ping }

    private mutating func beginBody(_ payload: UInt64) {
        place = .body(remaining: UInt64(Self.keyBytes) + payload)
    }

    private mutating func answer(_ pinged: (Span<UInt8>) -> Void) {
        for index in Self.keyBytes..<ping.count { ping[index] ^= ping[index % Self.keyBytes] }
        pinged(ping.span.extracting(Self.keyBytes...))
        ping = []
    }
}

extension MutableSpan<UInt8> {
    /// Moves bytes forward to `place`, which may lie inside of them.
    fileprivate mutating func move(_ range: Range<Int>, to place: Int) {
        guard range.lowerBound > place else { return }
        for offset in 0..<range.count { self[place + offset] = self[range.lowerBound + offset] }
    }
}
