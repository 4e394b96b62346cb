/// Fixed-width lower-case hexadecimal.
enum Hexadecimal {
    static func digits(_ value: UInt64, count: Int) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let bytes = (0..<count).reversed().map { digits[Int(value >> UInt64($0 * 4) & 15)] }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func value(_ bytes: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - 48)
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - 87)
            default: return nil
            }
        }
        return value
    }
}
