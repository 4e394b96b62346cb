import Configuration
import Testing

@testable import Gateway

/// How much of a busy answer is read before its readers get it, and before the watermark is looked at.
@Suite("Bytes that go on together")
struct HandOnBytesTests {
    private func handOnBytes(_ settings: String) throws -> Int {
        try ConfigurationLoader.check(Array(settings.utf8)).values.handOnBytes
    }

    @Test("by default a frame's worth, which is a quarter of the watermark")
    func defaults() throws {
        #expect(try handOnBytes("{}") == 64 << 10)
    }

    @Test("never more than a frame nor than a quarter of the watermark", arguments: [-4, 0, 4])
    func limits(offset: Int) throws {
        let replay = "replay: {high_watermark_bytes: \(4 * 4096 + offset), low_watermark_bytes: 0}"
        #expect(
            try handOnBytes("delivery: {frame_bytes: 4096}\n\(replay)")
                == 4096 + min(0, offset / 4))
    }
}
