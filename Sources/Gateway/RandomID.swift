import GatewayCore
import TokenSigning

/// Names that nobody can guess.
enum RandomID {
    /// A response of the native protocol: `r_` and 64 random bits.
    static func response() -> String { "r_" + Base32.encode(bytes(8)) }

    /// A session of a shard: 80 random bits.
    static func session(shard: Int) -> SessionID {
        SessionID(node: 0, shard: shard, random: bytes(10))
    }

    private static func bytes(_ count: Int) -> [UInt8] {
        // OpenSSL's generator fails only at start-up, which has passed; the system's is as good.
        if let bytes = try? SecureRandom.bytes(count) { return bytes }
        var system = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &system) }
    }
}
