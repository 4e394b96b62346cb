import Foundation
import Synchronization
import Testing

@testable import Telemetry

/// Keeps lines in memory.
final class CapturingSink: LogSink {
    private let lines = Mutex<[String]>([])
    let droppedLines = 0

    func write(_ line: [UInt8]) {
        lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
    }

    var all: [String] { lines.withLock { $0 } }
}

@Suite("Log lines")
struct LoggerTests {
    private let time = Timestamp(seconds: 1_772_368_496, nanoseconds: 123_456_789)

    @Test("a line is one JSON object in OpenTelemetry's shape")
    func json() throws {
        let line = LogFormat.json.line(
            .warn, "slow \"reader\"",
            [
                "gateway.session.id": "s_1", "count": 3, "ratio": 0.5, "last": true,
                "never": .number(.nan), "text": "a\"\\\n\u{1}\u{7f}é\u{1f600}",
            ], at: time)
        #expect(line.last == UInt8(ascii: "\n"))
        #expect(line.count { $0 == UInt8(ascii: "\n") } == 1)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
        #expect(object["timestamp"] as? String == "2026-03-01T12:34:56.123456Z")
        #expect(object["severity_text"] as? String == "WARN")
        #expect(object["severity_number"] as? Int == 13)
        #expect(object["body"] as? String == "slow \"reader\"")
        let attributes = try #require(object["attributes"] as? [String: Any])
        #expect(attributes["gateway.session.id"] as? String == "s_1")
        #expect(attributes["count"] as? Int == 3)
        #expect(attributes["ratio"] as? Double == 0.5)
        #expect(attributes["last"] as? Bool == true)
        #expect(attributes["never"] is NSNull)
        #expect(attributes["text"] as? String == "a\"\\\n\u{1}\u{7f}é\u{1f600}")
    }

    @Test("the form for people has the same content, and no control character of a value")
    func text() {
        let plain = LogFormat.text(isColoured: false).line(
            .info, "listening", ["address": "127.0.0.1:8080", "bad": "\u{1b}[31m"], at: time)
        #expect(
            String(decoding: plain, as: UTF8.self)
                == "12:34:56.123 INFO  listening address=\"127.0.0.1:8080\" bad=\"\\u001b[31m\"\n")
        let coloured = LogFormat.text(isColoured: true).line(.error, "x", [:], at: time)
        #expect(String(decoding: coloured, as: UTF8.self).contains("\u{1b}[31mERROR\u{1b}[0m"))
    }

    @Test("credentials are replaced, whatever the value")
    func redaction() {
        let line = LogFormat.json.line(
            .info, "x",
            [
                "http.request.header.authorization": "Bearer hunter2", "api_key": "hunter2",
                "resume_token": "hunter2", "gateway.client_secret": "hunter2", "Cookie": "hunter2",
                "token_count": 5,
            ], at: time)
        let text = String(decoding: line, as: UTF8.self)
        #expect(!text.contains("hunter2"))
        #expect(text.contains("\"token_count\":5"))
    }

    @Test("a long value is cut")
    func longValue() {
        let line = LogFormat.json.line(
            .info, "x", ["v": .text(String(repeating: "é", count: 1_000_000))], at: time)
        #expect(line.count < 9000)
        #expect((try? JSONSerialization.jsonObject(with: Data(line))) != nil)
    }

    @Test("lines below the level are neither written nor made")
    func levels() {
        let sink = CapturingSink()
        let logger = Logger(level: .warn, sink: sink)
        func dear() -> LogAttributes {
            Issue.record("attributes were made for nothing")
            return [:]
        }
        logger.debug("a", dear())
        logger.info("b", dear())
        logger.with(["shard": 1]).warn("c", ["x": 2])
        logger.error("d")
        #expect(sink.all.count == 2)
        #expect(sink.all[0].contains("\"attributes\":{\"shard\":1,\"x\":2}"))
    }

    @Test(
        "dates",
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000Z"),
        ] as [(Int64, String)])
    func dates(seconds: Int64, text: String) {
        #expect(Timestamp(seconds: seconds).description == text)
    }

    @Test("days of four centuries agree with another calendar")
    func manyDates() {
        let formatter = ISO8601DateFormatter()
        for day in stride(from: -60_000, to: 90_000, by: 37) {
            let seconds = Int64(day) * 86_400 + 45_296
            let expected = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
            let ours = Timestamp(seconds: seconds).description
            #expect(ours.prefix(19) == expected.prefix(19))
        }
    }

    @Test("a pipe that nobody reads loses whole lines, is never waited for, and the loss is told")
    func fullPipe() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let sink = DescriptorLogSink(descriptor: ends[1])
        let logger = Logger(sink: sink)
        for _ in 0..<2000 {
            logger.info("x", ["padding": .text(String(repeating: "p", count: 300))])
        }
        #expect(sink.droppedLines > 1000)
        let lost = sink.droppedLines
        var text = try drain(ends[0])
        logger.info("after")
        close(ends[1])
        text += try drain(ends[0])
        #expect(sink.droppedLines == lost)
        let lines = text.split(separator: "\n")
        let broken = lines.filter {
            (try? JSONSerialization.jsonObject(with: Data($0.utf8))) == nil
        }
        #expect(broken.count <= 1, "at most the line that was cut: \(broken.count)")
        #expect(text.contains("\"gateway.log.dropped_lines\":\(lost)"))
        #expect(lines.last?.contains("\"after\"") == true)
    }

    @Test("a long line goes through a pipe whole")
    func longLine() async throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let sink = DescriptorLogSink(descriptor: ends[1])
        Logger(sink: sink).info(
            "x",
            [
                "a": .text(String(repeating: "a", count: 8000)),
                "b": .text(String(repeating: "b", count: 8000)),
            ])
        close(ends[1])
        let text = try drain(ends[0])
        close(ends[0])
        #expect(text.utf8.count > 16_000)
        #expect(text.hasSuffix("\n"))
    }

    @Test("many threads write whole lines")
    func threads() async throws {
        let path =
            NSTemporaryDirectory() + "millrace-log-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        let descriptor = open(path, O_CREAT | O_RDWR, 0o600)
        defer {
            close(descriptor)
            unlink(path)
        }
        let logger = Logger(sink: DescriptorLogSink(descriptor: descriptor))
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    for count in 0..<100 { logger.info("x", ["n": .integer(number * 100 + count)]) }
                }
            }
        }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 800)
        #expect(lines.allSatisfy { $0.hasPrefix("{\"timestamp\"") && $0.hasSuffix("}}") })
    }

    private func drain(_ descriptor: Int32) throws -> String {
        var bytes: [UInt8] = []
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, 0) == 1 {
            var piece = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &piece, piece.count)
            guard count > 0 else { break }
            bytes += piece[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
