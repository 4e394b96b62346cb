import Glibc
import Synchronization

/// Where log lines go, from any thread.
package protocol LogSink: Sendable {
    /// Takes one whole line, its newline included. Never waits for a reader.
    func write(_ line: [UInt8])
    /// Lines that were lost since the start, because nobody read.
    var droppedLines: Int { get }
}

/// Writes lines to a file descriptor that somebody else owns.
///
/// A full pipe or terminal loses lines instead of stopping an event loop; the loss is counted, and told in the
/// stream as soon as it can be written again.
package final class DescriptorLogSink: LogSink {
    private struct State {
        var isInsideLine = false
        var untoldDrops = 0
    }

    /// Standard error, shared by the process.
    package static let standardError = DescriptorLogSink(descriptor: STDERR_FILENO)

    private let descriptor: Int32
    private let ownTerminal: Int32?
    private let state = Mutex(State())
    private let dropped = Atomic<Int>(0)

    package init(descriptor: Int32) {
        ownTerminal = Self.openTerminal(of: descriptor)
        self.descriptor = ownTerminal ?? descriptor
    }

    deinit {
        if let ownTerminal { close(ownTerminal) }
    }

    /// The same terminal opened once more, so that writes to it never wait; nil of what is none.
    ///
    /// A terminal whose reader stands still polls as writable while it has room for one byte, and a write of more
    /// waits. The descriptor that was given cannot be told not to wait: that would hold for all who share it.
    private static func openTerminal(of descriptor: Int32) -> Int32? {
        guard isatty(descriptor) == 1 else { return nil }
        let terminal = open(
            "/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        return terminal >= 0 ? terminal : nil
    }

    package var droppedLines: Int { dropped.load(ordering: .relaxed) }

    package func write(_ line: [UInt8]) {
        state.withLock { state in
            if state.untoldDrops > 0 || state.isInsideLine {
                // One small line first: it ends a line that was cut, and says how many are missing.
                let start = state.isInsideLine ? "\n" : ""
                let notice = LogFormat.json.line(
                    .warn, "log lines were dropped",
                    ["gateway.log.dropped_lines": .integer(state.untoldDrops)], at: .now)
                guard put(Array(start.utf8) + notice) == start.utf8.count + notice.count else {
                    return drop(&state)
                }
                state = State()
            }
            let written = put(line)
            if written < line.count {
                state.isInsideLine = written > 0
                drop(&state)
            }
        }
    }

    private func drop(_ state: inout State) {
        state.untoldDrops += 1
        dropped.add(1, ordering: .relaxed)
    }

    /// Number of bytes taken without waiting.
    private func put(_ bytes: [UInt8]) -> Int {
        var written = 0
        while written < bytes.count, isWritable {
            // A pipe that polls as writable has room for PIPE_BUF (4,096) bytes: no more at once.
            let count = bytes.withUnsafeBytes { buffer in
                let piece = buffer[written..<min(written + 4096, buffer.count)]
                let rest = UnsafeRawBufferPointer(rebasing: piece)
                return Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count > 0 {
                written += count
            } else if count < 0, errno == EINTR {
                continue
            } else {
                break
            }
        }
        return written
    }

    private var isWritable: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&entry, 1, 0) == 1 && entry.revents & Int16(POLLOUT) != 0
    }
}
