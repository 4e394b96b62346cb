internal import CLibwebsockets
internal import EventLoop
internal import Glibc

/// Reads past what a peer still sends after its answer; belongs to the loop's thread.
///
/// A socket that is closed while bytes are unread is reset, and the reset takes the answer away from a peer that is
/// still writing (RFC 9112, section 9.6). So our side ends, and the other one is waited for: until it ends too, has
/// sent `bytes` more, or the time is over. The descriptor is one of its own for the socket, whose other one the
/// library closes.
final class LingeringSocket {
    /// Read past in one turn of the loop, so that one peer that sends fast cannot starve the others.
    private static let bytesPerTurn = 64 << 10

    private var descriptor: Int32
    private var watcher: FileDescriptorWatcher?
    private var deadline: LoopTimer?
    private var remainingBytes: Int
    private let ended: (LingeringSocket) -> Void

    /// Ends our side of the socket behind `other`; nil when that cannot be waited for.
    ///
    /// `ended` is called once, unless `close` was before.
    init?(
        _ other: Int32, loop: EventLoop, bytes: Int, time: Duration,
        ended: @escaping (LingeringSocket) -> Void
    ) {
        descriptor = fcntl(other, F_DUPFD_CLOEXEC, 0)
        remainingBytes = bytes
        self.ended = ended
        guard descriptor >= 0 else { return nil }
        do {
            watcher = try FileDescriptorWatcher(loop: loop, descriptor: descriptor) {
                [unowned self] _, _ in readPast()
            }
        } catch {
            close()
            return nil
        }
        // While its answer was awaited the socket counted as readable from 64 KiB on only.
        millrace_readable_from(descriptor, 1)
        shutdown(descriptor, Int32(SHUT_WR))
        watcher?.watch(.readable)
        let timer = loop.makeTimer { [unowned self] in finish() }
        deadline = timer
        timer.arm(after: time)
    }

    deinit { close() }

    /// Closes the socket now.
    func close() {
        deadline?.cancel()
        deadline = nil
        watcher?.close()
        watcher = nil
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    private func finish() {
        close()
        ended(self)
    }

    private func readPast() {
        let count = withUnsafeTemporaryAllocation(
            byteCount: min(remainingBytes, Self.bytesPerTurn), alignment: 1
        ) { recv(descriptor, $0.baseAddress, $0.count, 0) }
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        remainingBytes -= max(count, 0)
        if count <= 0 || remainingBytes == 0 { finish() }
    }
}
