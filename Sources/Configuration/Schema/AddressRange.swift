import Glibc

/// One IP address or network: `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`.
package struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    /// 4 or 16 bytes in network order; bits behind the prefix are zero.
    package let bytes: [UInt8]
    /// Leading bits that must agree: 0…32 or 0…128.
    package let prefixLength: Int

    /// `nil` unless `text` is a numeric address with an optional prefix length.
    package init?(parsing text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = Self.addressBytes(String(parts[0])) else { return nil }
        var length = address.count * 8
        if parts.count == 2 {
            guard parts[1].utf8.count <= 3,
                parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let given = Int(parts[1]), given <= length
            else { return nil }
            length = given
        }
        prefixLength = length
        bytes = address.enumerated().map { index, byte in
            byte & Self.mask(index: index, length: length)
        }
    }

    /// True when `address`, 4 or 16 bytes in network order, lies in this network.
    ///
    /// An IPv4 address inside IPv6 (`::ffff:a.b.c.d`) counts as IPv4.
    package func contains(_ address: [UInt8]) -> Bool {
        var address = address
        if address.count == 16, address[..<12].elementsEqual(Self.mappedPrefix), bytes.count == 4 {
            address = Array(address[12...])
        }
        guard address.count == bytes.count else { return false }
        return address.enumerated().allSatisfy { index, byte in
            byte & Self.mask(index: index, length: prefixLength) == bytes[index]
        }
    }

    /// Like `contains(_:)`, for an address in text form; false when it is none.
    package func contains(text: String) -> Bool {
        Self.addressBytes(text).map { contains($0) } ?? false
    }

    package var description: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes, &buffer, socklen_t(buffer.count)) != nil else { return "" }
        let text = String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(text)/\(prefixLength)"
    }

    private static let mappedPrefix: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff]

    private static func mask(index: Int, length: Int) -> UInt8 {
        let bits = min(8, max(0, length - index * 8))
        return bits == 0 ? 0 : ~0 << UInt8(8 - bits)
    }

    private static func addressBytes(_ text: String) -> [UInt8]? {
        guard text.utf8.count < 64, !text.utf8.contains(0) else { return nil }
        var address = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &address) == 1 { return Array(address[..<4]) }
        return inet_pton(AF_INET6, text, &address) == 1 ? address : nil
    }
}
