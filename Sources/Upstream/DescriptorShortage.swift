internal import Glibc

/// Whether this process can open what it needs to, for those who fail without saying why.
enum DescriptorShortage {
    /// What a look-up of a name may have open at once: libcurl two for its thread, the C library a file or its sockets.
    static let lookup = 4

    /// The `errno` of opening so many descriptors, where it is for lack of them; else 0.
    static func error(opening count: Int) -> Int32 {
        var opened: [Int32] = []
        defer { for descriptor in opened { close(descriptor) } }
        for _ in 0..<count {
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { return errno == EMFILE || errno == ENFILE ? errno : 0 }
            opened.append(descriptor)
        }
        return 0
    }
}
