import Glibc

/// Writes structured log lines; a value that any thread may copy and use.
///
/// The body is constant, what varies stands in attributes, so lines can be counted by body.
package struct Logger: Sendable {
    /// Less severe lines cost a comparison and are not made.
    package let level: LogLevel
    /// How lines look.
    package let format: LogFormat
    private let sink: any LogSink
    private let context: LogAttributes

    package init(
        level: LogLevel = .info, format: LogFormat = .json,
        sink: any LogSink = DescriptorLogSink.standardError, context: LogAttributes = [:]
    ) {
        self.level = level
        self.format = format
        self.sink = sink
        self.context = context
    }

    /// A logger whose lines also carry `attributes`, before their own.
    package func with(_ attributes: LogAttributes) -> Logger {
        Logger(level: level, format: format, sink: sink, context: context.adding(attributes))
    }

    /// True when a line of this level is written: ask before computing dear attributes.
    package func writes(_ level: LogLevel) -> Bool { level >= self.level }

    /// Lines that the sink lost since the start.
    package var droppedLines: Int { sink.droppedLines }

    package func debug(
        _ body: StaticString, _ attributes: @autoclosure () -> LogAttributes = [:]
    ) {
        log(.debug, body, attributes())
    }

    package func info(_ body: StaticString, _ attributes: @autoclosure () -> LogAttributes = [:]) {
        log(.info, body, attributes())
    }

    package func warn(_ body: StaticString, _ attributes: @autoclosure () -> LogAttributes = [:]) {
        log(.warn, body, attributes())
    }

    package func error(_ body: StaticString, _ attributes: @autoclosure () -> LogAttributes = [:]) {
        log(.error, body, attributes())
    }

    /// Writes one line, or nothing when `level` is below the logger's.
    package func log(
        _ level: LogLevel, _ body: StaticString,
        _ attributes: @autoclosure () -> LogAttributes = [:]
    ) {
        guard writes(level) else { return }
        sink.write(format.line(level, body, context.adding(attributes()), at: .now))
    }
}

extension LogFormat {
    /// Text with colours on a terminal (`NO_COLOR` switches them off), else JSON.
    package static var automatic: LogFormat {
        isatty(STDERR_FILENO) == 1 ? .terminal : .json
    }

    /// Text, coloured when standard error is a terminal.
    package static var terminal: LogFormat {
        .text(isColoured: isatty(STDERR_FILENO) == 1 && getenv("NO_COLOR") == nil)
    }
}
