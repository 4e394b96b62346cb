import LoadClient
import Testing

@Suite("Frames from a server")
struct FrameParserTests {
    typealias Message = FrameMessage

    /// Text, a ping inside a fragmented text, a long text, a close.
    static let stream: [UInt8] =
        frame(0x81, "hello") + frame(0x01, "frag") + frame(0x89, "p") + frame(0x00, "men")
        + frame(0x80, "ted") + frame(0x81, String(repeating: "x", count: 300))
        + frame(0x88, "\u{3}")
    static let messages: [Message] = [
        .init(.text, "hello"), .init(.ping, "p"), .init(.text, "fragmented"),
        .init(.text, String(repeating: "x", count: 300)), .init(.close, "\u{3}"),
    ]

    static func frame(_ first: UInt8, _ text: String) -> [UInt8] {
        let payload = Array(text.utf8)
        let length: [UInt8] =
            payload.count < 126
            ? [UInt8(payload.count)]
            : [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        return [first] + length + payload
    }

    @Test("a chunk may end at any byte", arguments: 0...stream.count)
    func splitAnywhere(at cut: Int) throws {
        var parser = FrameParser(maximumMessageBytes: 1_000)
        var found = try parser.all(in: Array(Self.stream[..<cut]))
        found += try parser.all(in: Array(Self.stream[cut...]))
        #expect(found == Self.messages, "split before byte \(cut)")
    }

    @Test("one byte at a time")
    func byteByByte() throws {
        var parser = FrameParser(maximumMessageBytes: 1_000)
        var found: [Message] = []
        for byte in Self.stream { found += try parser.all(in: [byte]) }
        #expect(found == Self.messages)
    }

    @Test("a whole frame is a range of the chunk, not a copy")
    func borrowed() throws {
        var parser = FrameParser(maximumMessageBytes: 100)
        let chunk = Self.frame(0x81, "abc") + Self.frame(0x81, "de")
        var offset = 0
        #expect(try parser.next(in: chunk.span, from: &offset) == .inChunk(.text, 2..<5))
        #expect(try parser.next(in: chunk.span, from: &offset) == .inChunk(.text, 7..<9))
        #expect(try parser.next(in: chunk.span, from: &offset) == .needsMore)
    }

    @Test("the limit counts fragments together", arguments: [(9, true), (10, false)])
    func limit(bytes: Int, isRefused: Bool) {
        var parser = FrameParser(maximumMessageBytes: bytes)
        let body = Self.frame(0x01, "12345") + Self.frame(0x80, "67890")
        let found = try? parser.all(in: body)
        #expect((found == nil) == isRefused)
    }

    @Test(
        "what no server may send is refused",
        arguments: [
            ([0x81, 0x80, 1, 2, 3, 4], FrameParser.Failure.masked),
            ([0xC1, 0x00], .reservedBits(0x40)),
            ([0x83, 0x00], .unknownOpcode(3)),
            ([0x09, 0x00], .controlFrame(.ping, "fragmented")),
            ([0x89, 126, 0, 126], .controlFrame(.ping, "longer than 125 bytes")),
            ([0x81, 126, 0, 125], .lengthNotShortest),
            ([0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255], .lengthNotShortest),
            ([0x81, 127, 255, 0, 0, 0, 0, 0, 0, 0], .messageTooBig(limitBytes: 1_000)),
            ([0x80, 0x00], .continuationWithoutStart),
            ([0x01, 0x00, 0x81, 0x00], .startInsideMessage),
        ] as [([UInt8], FrameParser.Failure)])
    func refused(bytes: [UInt8], failure: FrameParser.Failure) {
        var parser = FrameParser(maximumMessageBytes: 1_000)
        #expect(throws: failure) { _ = try parser.all(in: bytes) }
        var slowly = FrameParser(maximumMessageBytes: 1_000)
        #expect(throws: failure) { for byte in bytes { _ = try slowly.all(in: [byte]) } }
    }
}

@Suite("What is wrong with a frame, in words")
struct FrameFailureTests {
    @Test(
        "no name of the code's own",
        arguments: [
            (
                .controlFrame(.ping, "longer than 125 bytes"),
                "a ping frame that is longer than 125 bytes"
            ),
            (.reservedBits(0x50), "a frame with reserved bits set (RSV1, RSV3), and no extension"),
            (.messageTooBig(limitBytes: 9), "a message above 9 bytes (limits.frame_bytes)"),
        ] as [(FrameParser.Failure, String)])
    func words(failure: FrameParser.Failure, text: String) {
        #expect(failure.description == text)
    }
}

@Suite("Close frames")
struct ClosePayloadTests {
    private func read(_ bytes: [UInt8]) throws -> ClosePayload { try ClosePayload(bytes.span) }

    @Test(
        "codes that a server may send",
        arguments: [1_000, 1_003, 1_007, 1_014, 3_000, 4_008, 4_999] as [UInt16])
    func lawful(code: UInt16) throws {
        let close = try read([UInt8(code >> 8), UInt8(code & 0xFF)] + Array("é".utf8))
        #expect(close.code == code)
        #expect(close.reason == "é")
    }

    @Test("a close frame may say nothing")
    func empty() throws { #expect(try read([]).code == 1_005) }

    @Test(
        "codes that nobody may send",
        arguments: [0, 999, 1_004, 1_005, 1_006, 1_015, 1_016, 2_999, 5_000, .max] as [UInt16])
    func forbidden(code: UInt16) {
        #expect(throws: ClosePayload.Failure.code(code)) {
            try read([UInt8(code >> 8), UInt8(code & 0xFF)])
        }
    }

    @Test("half a code, and a reason that is no text")
    func broken() {
        #expect(throws: ClosePayload.Failure.oneByte) { try read([3]) }
        #expect(throws: ClosePayload.Failure.reason) { try read([0x03, 0xE8, 0xFF]) }
    }
}

struct FrameMessage: Equatable, CustomStringConvertible {
    let opcode: Opcode
    let text: String

    init(_ opcode: Opcode, _ text: String) {
        self.opcode = opcode
        self.text = text
    }

    var description: String { "\(opcode) \(text)" }
}

extension FrameParser {
    mutating func all(in chunk: [UInt8]) throws -> [FrameMessage] {
        var offset = 0
        var messages: [FrameMessage] = []
        while true {
            switch try next(in: chunk.span, from: &offset) {
            case .needsMore: return messages
            case .inChunk(let opcode, let range):
                messages.append(.init(opcode, String(decoding: chunk[range], as: UTF8.self)))
            case .gathered(let opcode, let payload):
                messages.append(.init(opcode, String(decoding: payload, as: UTF8.self)))
            }
        }
    }
}
