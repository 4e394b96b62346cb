/// Splits what a server sends into WebSocket messages, wherever the network happened to cut it.
///
/// Pull it: call ``next(in:from:)`` until it answers `needsMore`. A message that lies whole in one
/// chunk is answered as a range of that chunk and never copied. Refuses masked frames, extension
/// bits, unknown opcodes, oversized or fragmented control frames, lengths not in their shortest
/// form, and messages above `maximumMessageBytes`. Source: RFC 6455, sections 5.2 to 5.5.
package struct FrameParser {
    package enum Failure: Error, Equatable, CustomStringConvertible {
        case masked
        case reservedBits(UInt8)
        case unknownOpcode(UInt8)
        case controlFrame(Opcode, String)
        case lengthNotShortest
        case messageTooBig(limitBytes: Int)
        case continuationWithoutStart
        case startInsideMessage

        package var description: String {
            switch self {
            case .masked: "a masked frame, which only clients send"
            case .reservedBits(let bits):
                "a frame with reserved bits set (\(Self.names(ofBits: bits))), and no extension"
            case .unknownOpcode(let code): "a frame with opcode \(code), which means nothing"
            case .controlFrame(let opcode, let what): "a \(opcode) frame that is \(what)"
            case .lengthNotShortest: "a frame whose length is not written in its shortest form"
            case .messageTooBig(let limit): "a message above \(limit) bytes (limits.frame_bytes)"
            case .continuationWithoutStart: "a continuation frame of no message"
            case .startInsideMessage: "a frame that begins a message inside another one"
            }
        }

        private static func names(ofBits bits: UInt8) -> String {
            [(0x40, "RSV1"), (0x20, "RSV2"), (0x10, "RSV3")].filter { bits & $0.0 != 0 }
                .map(\.1).joined(separator: ", ")
        }
    }

    package enum Output: Equatable {
        case needsMore
        /// A whole message, or a control frame, whose payload is this range of the chunk.
        case inChunk(Opcode, Range<Int>)
        /// The same, gathered from several chunks or fragments.
        case gathered(Opcode, [UInt8])
    }

    private let maximumMessageBytes: Int
    /// A header cut by the end of a chunk; at most 10 bytes.
    private var header: [UInt8] = []
    /// The frame whose payload is being gathered, with how much of it is missing.
    private var open: (opcode: Opcode, isFinal: Bool, missing: Int)?
    private var payload: [UInt8] = []
    /// A message begun by a frame without FIN.
    private var fragments: (opcode: Opcode, bytes: [UInt8])?

    package init(maximumMessageBytes: Int) {
        self.maximumMessageBytes = maximumMessageBytes
    }

    /// The next message in `chunk` after `offset`, which moves behind what was consumed.
    package mutating func next(
        in chunk: Span<UInt8>, from offset: inout Int
    ) throws(Failure) -> Output {
        while true {
            if let frame = open {
                let take = min(frame.missing, chunk.count - offset)
                append(chunk, offset..<(offset + take))
                offset += take
                guard take == frame.missing else {
                    open?.missing -= take
                    return .needsMore
                }
                open = nil
                let whole = exchange(&payload, with: [])
                if let message = try finish(frame.opcode, isFinal: frame.isFinal, whole) {
                    return .gathered(message.opcode, message.bytes)
                }
                continue
            }
            guard let head = try parseHead(chunk, &offset) else { return .needsMore }
            let available = chunk.count - offset
            if head.length <= available, head.isFinal, head.opcode != .continuation {
                let range = offset..<(offset + head.length)
                offset += head.length
                return .inChunk(head.opcode, range)
            }
            payload.reserveCapacity(head.length)
            open = (head.opcode, head.isFinal, head.length)
        }
    }

    private struct Head {
        let opcode: Opcode
        let isFinal: Bool
        let length: Int
    }

    private mutating func append(_ chunk: Span<UInt8>, _ range: Range<Int>) {
        chunk.extracting(range).withUnsafeBufferPointer { payload.append(contentsOf: $0) }
    }

    /// Reads one frame header; `nil` when the chunk ends inside it.
    private mutating func parseHead(
        _ chunk: Span<UInt8>, _ offset: inout Int
    ) throws(Failure) -> Head? {
        if !header.isEmpty {
            // At most nine more bytes: gather until the header is whole.
            while offset < chunk.count {
                header.append(chunk[offset])
                offset += 1
                if header.count >= 2, header.count == Self.headerBytes(second: header[1]) {
                    let gathered = exchange(&header, with: [])
                    return try head(gathered.span, at: 0)
                }
            }
            return nil
        }
        let available = chunk.count - offset
        guard available >= 2, available >= Self.headerBytes(second: chunk[offset + 1]) else {
            while offset < chunk.count {
                header.append(chunk[offset])
                offset += 1
            }
            return nil
        }
        let parsed = try head(chunk, at: offset)
        offset += Self.headerBytes(second: chunk[offset + 1])
        return parsed
    }

    private static func headerBytes(second: UInt8) -> Int {
        switch second & 0x7F {
        case 126: 4
        case 127: 10
        default: 2
        }
    }

    private func head(_ bytes: Span<UInt8>, at start: Int) throws(Failure) -> Head {
        let first = bytes[start]
        let second = bytes[start + 1]
        guard second & 0x80 == 0 else { throw .masked }
        guard first & 0x70 == 0 else { throw .reservedBits(first & 0x70) }
        guard let opcode = Opcode(rawValue: first & 0x0F) else {
            throw .unknownOpcode(first & 0x0F)
        }
        let isFinal = first & 0x80 != 0
        let length = try payloadLength(bytes, at: start + 1)
        if opcode.isControl {
            guard isFinal else { throw .controlFrame(opcode, "fragmented") }
            guard length <= 125 else { throw .controlFrame(opcode, "longer than 125 bytes") }
        } else {
            guard (opcode == .continuation) == (fragments != nil) else {
                throw opcode == .continuation ? .continuationWithoutStart : .startInsideMessage
            }
            let total = length + (fragments?.bytes.count ?? 0)
            guard total <= maximumMessageBytes else {
                throw .messageTooBig(limitBytes: maximumMessageBytes)
            }
        }
        return Head(opcode: opcode, isFinal: isFinal, length: length)
    }

    private func payloadLength(_ bytes: Span<UInt8>, at start: Int) throws(Failure) -> Int {
        let short = Int(bytes[start] & 0x7F)
        guard short >= 126 else { return short }
        var length: UInt64 = 0
        for index in 1...(short == 126 ? 2 : 8) {
            length = length << 8 | UInt64(bytes[start + index])
        }
        guard length >= (short == 126 ? 126 : 65_536) else { throw .lengthNotShortest }
        guard length <= UInt64(maximumMessageBytes) else {
            throw .messageTooBig(limitBytes: maximumMessageBytes)
        }
        return Int(length)
    }

    /// Adds a finished frame to its message; the message, if that ended it.
    private mutating func finish(
        _ opcode: Opcode, isFinal: Bool, _ bytes: [UInt8]
    ) throws(Failure) -> (opcode: Opcode, bytes: [UInt8])? {
        if opcode.isControl { return (opcode, bytes) }
        guard var message = exchange(&fragments, with: nil) else {
            if isFinal { return (opcode, bytes) }
            fragments = (opcode, bytes)
            return nil
        }
        message.bytes.append(contentsOf: bytes)
        if isFinal { return message }
        fragments = message
        return nil
    }
}
