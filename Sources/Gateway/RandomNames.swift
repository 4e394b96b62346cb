import GatewayCore
import TokenSigning

/// Names that nobody can guess, of one shard.
///
/// Asks the library's generator for many bytes at once: each question costs two system calls and as much as the
/// rest of a name.
struct RandomNames {
    private static let batchBytes = 512

    private var bytes: [UInt8] = []
    private var used = 0

    /// A response of the native protocol: `r_` and 64 random bits.
    mutating func response() -> String { "r_" + Base32.encode(take(8)) }

    /// A session of a shard: 80 random bits.
    mutating func session(shard: Int) -> SessionID {
        SessionID(node: 0, shard: shard, random: take(10))
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        if bytes.count - used < count {
            bytes = Self.draw()
            used = 0
        }
        defer { used += count }
        return Array(bytes[used..<(used + count)])
    }

    private static func draw() -> [UInt8] {
        // OpenSSL's generator fails only at start-up, which has passed; the system's is as good.
        if let bytes = try? SecureRandom.bytes(batchBytes) { return bytes }
        var system = SystemRandomNumberGenerator()
        return (0..<batchBytes).map { _ in UInt8.random(in: .min ... .max, using: &system) }
    }
}
