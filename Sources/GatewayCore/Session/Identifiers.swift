/// Names one connection for as long as the process lives.
package struct ConnectionID: Hashable, Sendable {
    /// The shard the connection is on, in the upper 16 bits, then a counter.
    package let rawValue: UInt64

    /// Names the `counter`-th connection of a shard.
    package init(shard: Int, counter: UInt64) {
        rawValue = UInt64(shard) << 48 | (counter & 0xFFFF_FFFF_FFFF)
    }

    /// Stands for a connection that has never been here: counters begin at 1.
    static let nobody = ConnectionID(shard: 0, counter: 0)

    /// The shard the connection is on.
    package var shard: Int { Int(rawValue >> 48) }
}

/// Names a session, and says where its log lives: node and shard.
package struct SessionID: Hashable, Sendable, CustomStringConvertible {
    /// The name on the wire: `s_`, four hexadecimal digits for the node, two for the shard, then random ones.
    package let text: String
    /// The node that made it.
    package let node: UInt16
    /// The shard of that node which owns it.
    package let shard: Int

    /// Makes a new name from at least 10 random bytes.
    package init(node: UInt16, shard: Int, random: [UInt8]) {
        self.node = node
        self.shard = shard
        text =
            "s_" + Hexadecimal.digits(UInt64(node), count: 4)
            + Hexadecimal.digits(UInt64(shard), count: 2) + Base32.encode(Array(random.prefix(10)))
    }

    /// Reads a name from a token; nil when it is none.
    package init?(parsing text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 24, bytes.starts(with: "s_".utf8),
            let node = Hexadecimal.value(bytes[2..<6]), let shard = Hexadecimal.value(bytes[6..<8])
        else { return nil }
        self.text = text
        self.node = UInt16(node)
        self.shard = Int(shard)
    }

    private init(_ text: String, node: UInt16, shard: Int) {
        self.text = text
        self.node = node
        self.shard = shard
    }

    /// The same name on one of `shards` shards: its own, or where that is not there, always the same other one.
    package func home(among shards: Int) -> SessionID {
        SessionID(text, node: node, shard: shard % max(shards, 1))
    }

    package var description: String { text }
}
