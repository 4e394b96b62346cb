internal import CLibwebsockets
internal import Synchronization

/// What libwebsockets logs; one for the whole process, whatever servers it has.
package enum LibwebsocketsLog {
    /// What the library itself calls a line.
    package enum Level: Sendable {
        case error
        case warning
    }

    private static let receiver = Mutex<(@Sendable (Level, String) -> Void)?>(nil)

    /// The library's own receiver, which writes to standard error, is replaced once.
    private static let installation: Void = millrace_lws_log { level, line in
        guard let line else { return }
        var text = String(cString: line)
        while text.last?.isNewline == true { text.removeLast() }
        LibwebsocketsLog.emit(level == millrace_lws_error_level() ? .error : .warning, text)
    }

    /// Has `receiver` called with each line from now on, on the thread of whichever loop it comes from.
    package static func receive(_ receiver: @escaping @Sendable (Level, String) -> Void) {
        self.receiver.withLock { $0 = receiver }
    }

    /// Drops lines that nobody receives, from the first server on.
    static func install() { installation }

    private static func emit(_ level: Level, _ line: String) {
        let receiver = receiver.withLock { $0 }
        receiver?(level, line)
    }
}
