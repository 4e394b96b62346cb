internal import CEpoll
internal import Glibc

// What the C library does many bytes at a time.
extension Span<UInt8> {
    /// Where `byte` is for the first time.
    func firstIndex(of byte: UInt8) -> Int? {
        withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress,
                let found = memchr(start, Int32(byte), bytes.count)
            else { return nil }
            return UnsafeRawPointer(found) - start
        }
    }

    /// Whether `other` has the same bytes.
    func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count, count > 0 else { return count == other.count }
        return withUnsafeBytes { mine in
            other.withUnsafeBytes { theirs in
                guard let one = mine.baseAddress, let two = theirs.baseAddress else { return false }
                return memcmp(one, two, mine.count) == 0
            }
        }
    }
}
