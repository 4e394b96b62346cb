import Glibc

/// Standard output or standard error, written without a buffer in between.
package enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// Makes the descriptors 0 to 2 what everybody takes them for; to be called before anything is opened.
    ///
    /// A closed one becomes `/dev/null`: else the next thing that is opened gets its number, and log lines go
    /// into it. A reader who has left, and a file that has reached its limit, make a write fail and end no process.
    package static func prepare() {
        for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is taken, which is this one.
            _ = unsafe open("/dev/null", O_RDWR)
        }
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Writes all of `text` and says whether that worked.
    ///
    /// Blocks while the reader is slow; false when the stream is closed.
    @discardableResult
    package func write(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
                return unsafe Glibc.write(rawValue, rest.baseAddress, rest.count)
            }
            if count > 0 {
                written += count
            } else if count < 0, errno == EINTR {
                continue
            } else {
                return false
            }
        }
        return true
    }
}
