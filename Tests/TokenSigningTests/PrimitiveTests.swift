import GatewayCore
import Testing

@testable import TokenSigning

@Suite("Primitives")
struct PrimitiveTests {
    private func bytes(_ hex: String) -> [UInt8] {
        var digits = hex.filter { $0 != " " }[...]
        var result: [UInt8] = []
        while !digits.isEmpty {
            result.append(UInt8(digits.prefix(2), radix: 16) ?? 0)
            digits = digits.dropFirst(2)
        }
        return result
    }

    @Test(
        "SHA-256 of FIPS 180-4's examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                String(repeating: "a", count: 1_000_000),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
            ),
        ])
    func sha256(text: String, hex: String) throws {
        #expect(try SHA256Digest.hex(of: Array(text.utf8)) == hex)
    }

    @Test("a digest does not depend on how its input was cut", arguments: [1, 7, 63, 64, 65])
    func sha256InPieces(size: Int) throws {
        let input = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var digest = try SHA256Digest.make()
        var rest = input[...]
        while !rest.isEmpty {
            digest.update(Array(rest.prefix(size)))
            digest.update([])
            rest = rest.dropFirst(size)
        }
        #expect(try digest.finishHex() == SHA256Digest.hex(of: input))
    }

    @Test("HMAC-SHA256 of RFC 4231, section 4", arguments: 1...7)
    func rfc4231(number: Int) throws {
        let long = [UInt8](repeating: 0xaa, count: 131)
        let vector: (key: [UInt8], data: [UInt8], mac: String) =
            switch number {
            case 1:
                (
                    [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
                    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
                )
            case 2:
                (
                    Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
                    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
                )
            case 3:
                (
                    [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
                    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
                )
            case 4:
                (
                    Array(1...25), [UInt8](repeating: 0xcd, count: 50),
                    "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
                )
            case 5:
                (
                    [UInt8](repeating: 0x0c, count: 20), Array("Test With Truncation".utf8),
                    "a3b6167473100ee06e0c796c2955552b"
                )
            case 6:
                (
                    long, Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
                )
            default:
                (
                    long,
                    Array(
                        ("This is a test using a larger than block-size key and a larger than "
                            + "block-size data. The key needs to be hashed before being used by "
                            + "the HMAC algorithm.").utf8),
                    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
                )
            }
        let key = try HMACKey(id: "k", secret: vector.key)
        let mac = try key.authenticate(vector.data)
        // Number 5 gives the first 16 bytes only.
        #expect(hexadecimal(mac).hasPrefix(vector.mac))
        #expect(try key.verify(mac, of: vector.data), "the template is unharmed by use")
        #expect(try !key.verify(Array(mac.dropLast()), of: vector.data))
    }

    @Test("base32 of RFC 4648, section 10, in lower case without padding")
    func base32() {
        let vectors = [
            ("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"), ("foobar", "mzxw6ytboi"),
        ]
        for (plain, encoded) in vectors { #expect(Base32.encode(Array(plain.utf8)) == encoded) }
        #expect(Base32.encode([0xff, 0xd6, 0xff]) == "77lp6")
    }

    @Test("base64url of RFC 4648, section 10, without padding")
    func base64URL() {
        let vectors = [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"),
        ]
        for (plain, encoded) in vectors {
            #expect(Base64URL.encode(Array(plain.utf8)) == Array(encoded.utf8))
            #expect(Base64URL.decode(Array(encoded.utf8)) == Array(plain.utf8))
        }
        #expect(Base64URL.encode([0xfb, 0xff]) == Array("-_8".utf8))
        let all = (0...255).map { UInt8($0) }
        #expect(Base64URL.decode(Base64URL.encode(all)) == all)
        for bad in ["Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm v", "Zm9vY", "é"] {
            #expect(Base64URL.decode(Array(bad.utf8)) == nil, "\(bad)")
        }
    }

    @Test("random bytes differ, secrets compare")
    func random() throws {
        #expect(try SecureRandom.bytes(32) != SecureRandom.bytes(32))
        #expect(try SecureRandom.bytes(0) == [])
        #expect(ConstantTime.equal([1, 2], [1, 2]))
        #expect(!ConstantTime.equal([1, 2], [1, 3]))
        #expect(!ConstantTime.equal([1, 2], [1]))
        #expect(ConstantTime.equal([], []))
        #expect(ConstantTime.equal("secret", "secret"))
        #expect(!ConstantTime.equal("secret", "secrets"))
    }
}
