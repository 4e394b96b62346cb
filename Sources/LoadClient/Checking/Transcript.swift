/// The last bytes of one reader's conversation, in a ring of fixed size.
///
/// Empty until first used, so an idle connection costs nothing.
package struct Transcript {
    private let capacity: Int
    private var ring: [UInt8] = []
    private var next = 0
    private var wrapped = false

    package init(maximumBytes: Int) {
        capacity = maximumBytes
    }

    package mutating func received(_ frame: Span<UInt8>) { record(UInt8(ascii: "<"), frame) }
    package mutating func sent(_ frame: Span<UInt8>) { record(UInt8(ascii: ">"), frame) }

    /// A line of our own: connects, closes, faults.
    package mutating func note(_ text: String) {
        record(UInt8(ascii: "*"), Array(text.utf8).span)
    }

    /// What is left, one frame per line: `<` received, `>` sent, `*` our own notes.
    ///
    /// Keys and tokens are blanked: transcripts end up in reports that people pass on.
    package var lines: [String] {
        var frames = (wrapped ? ring[next...] + ring[..<next] : ring[..<next])
            .split(separator: 0x1E)
        // The oldest is cut, perhaps within a token.
        if wrapped, !frames.isEmpty { frames.removeFirst() }
        let lines = frames.map { Self.blank(String(decoding: $0, as: UTF8.self)) }
        return wrapped ? ["* (older frames left out)"] + lines : lines
    }

    /// Every one, also of a frame that holds several lines or was cut within one.
    private static func blank(_ line: String) -> String {
        line.replacing(#/"(auth|token|resume_token)"\s*:\s*"(?:[^"\\]|\\.)*/#) { match in
            "\"\(match.1)\":\"…"
        }
    }

    /// Bytes of one frame beyond this are left out: its beginning tells most.
    private static let maximumFrameBytes = 1_024

    private mutating func record(_ mark: UInt8, _ frame: Span<UInt8>) {
        guard capacity > 0 else { return }
        if ring.isEmpty { ring = [UInt8](repeating: 0, count: capacity) }
        let kept = min(frame.count, Self.maximumFrameBytes)
        let head: [3 of UInt8] = [0x1E, mark, 0x20]
        put(head.span)
        put(frame.extracting(first: kept))
    }

    private mutating func put(_ bytes: Span<UInt8>) {
        var at = 0
        while at < bytes.count {
            let take = min(bytes.count - at, capacity - next)
            let start = next
            bytes.extracting(at..<(at + take)).withUnsafeBytes { source in
                ring.withUnsafeMutableBytes { target in
                    let place = UnsafeMutableRawBufferPointer(rebasing: target[start...])
                    place.copyMemory(from: source)
                }
            }
            at += take
            next += take
            if next == capacity {
                next = 0
                wrapped = true
            }
        }
    }
}
