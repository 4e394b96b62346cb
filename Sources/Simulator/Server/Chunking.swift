/// How a body is cut into the pieces of HTTP's chunked coding.
package enum Chunking: Equatable, Sendable {
    /// As it comes: an event, or all that are due, in one piece; a recording whole.
    case natural
    /// Pieces of this many bytes.
    case fixed(Int)
    /// Pieces of 1…64 bytes, from the seed.
    case random

    /// Reads `--chunk`: a number of bytes, 0, or `random`.
    package init?(_ text: String) {
        if text == "random" {
            self = .random
        } else if let count = Int(text), count >= 0 {
            self = count == 0 ? .natural : .fixed(count)
        } else {
            return nil
        }
    }

    /// Appends `bytes` to `out` as chunks, each with its length in front.
    package func encode(
        _ bytes: ArraySlice<UInt8>, _ random: inout SeededRandom, into out: inout [UInt8]
    ) {
        var rest = bytes
        while !rest.isEmpty {
            let length =
                switch self {
                case .natural: rest.count
                case .fixed(let count): min(count, rest.count)
                case .random: min(1 + Int(random.next() & 63), rest.count)
                }
            out.put(String(length, radix: 16))
            out.put("\r\n")
            out.append(contentsOf: rest.prefix(length))
            out.put("\r\n")
            rest = rest.dropFirst(length)
        }
    }
}
