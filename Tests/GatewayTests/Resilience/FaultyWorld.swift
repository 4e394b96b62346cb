import Configuration
import EventLoop
import Foundation
import Glibc
import Simulator
import Synchronization
import Telemetry
import Testing

@testable import Gateway

/// One value from one thread to another; the first counts.
private final class Parcel<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    func give(_ value: Value) { self.value.withLock { $0 = $0 ?? value } }

    func take() -> Value {
        while true {
            if let value = value.withLock({ $0 }) { return value }
            usleep(300)
        }
    }
}

/// A simulator on a thread of its own, with a fault of its own where one is named.
final class FaultyUpstream: Sendable {
    let port: UInt16
    private let stopping: Mailbox<Bool>
    private let thread: LoopThread

    init(fault: String? = nil, rate: Double = 0, replay: String? = nil) throws {
        let loop = try EventLoop()
        let stopping = Mailbox<Bool>(loop: loop)
        let started = Parcel<UInt16>()
        self.stopping = stopping
        thread = try LoopThread(name: "upstream") {
            var simulator: Simulator?
            loop.run(started: {
                do {
                    var options = SimulatorOptions()
                    options.seed = 7
                    options.deltasPerSecond = rate
                    options.fault = fault
                    options.replay = replay
                    let made = try Simulator(loop: loop, options: options)
                    simulator = made
                    stopping.setHandler { _ in
                        made.stop()
                        loop.close()
                    }
                    started.give(made.port)
                } catch {
                    Issue.record(error)
                    loop.close()
                    started.give(0)
                }
            })
            simulator?.finishStopping()
            _ = loop.destroy()
        }
        port = started.take()
    }

    var url: String { "http://127.0.0.1:\(port)/v1" }

    func stop() {
        stopping.send(true)
        thread.join()
    }

    /// A number of `GET /stats`.
    func statistic(_ name: String) -> Int {
        let object = try? JSONSerialization.jsonObject(with: Data(httpGet(port, "/stats")))
        return (object as? [String: Any])?[name] as? Int ?? -1
    }
}

/// A gateway in this process, with short deadlines and no breaker unless a test says otherwise.
final class FaultyWorld: Sendable {
    let port: UInt16
    private let stopper: GatewayStopper?
    private let thread: LoopThread
    private let ended = Parcel<Bool>()

    static let quick: [(String, String)] = [
        ("upstream", "response_header_timeout_ms: 300"),
        ("upstream", "first_event_timeout_ms: 300"),
        ("upstream", "silence_timeout_ms: 300"), ("upstream", "keepalive_silence_ms: 600"),
        ("upstream", "retry_delay_ms: 5"), ("upstream", "retry_delay_max_ms: 20"),
        ("upstream", "retry_budget_percent: 1000"), ("upstream", "concurrency: 20000"),
    ]

    /// Starts; `upstream`, `fallback` and `more` are lines of the configuration.
    init(
        primary: String, upstream: [String] = [], fallback: String = "{}",
        breaker: String = "{enabled: false}", more: String = "", shards: Int = 1
    ) throws {
        var lines: [String] = ["base_url: \"\(primary)\""]
        for (_, line) in Self.quick {
            let name = line.prefix { $0 != ":" }
            if !upstream.contains(where: { $0.hasPrefix("\(name):") }) { lines.append(line) }
        }
        lines += upstream
        let yaml = """
            server: {listen: "127.0.0.1:0", shards: \(shards), connections: 500}
            limits: {responses_per_connection: 100, responses_per_session: 100, frames_per_s: 10000, frames_burst: 10000}
            options: {default_model: sim-hello, allow: [model, background, tools, metadata]}
            upstream: {\(lines.joined(separator: ", "))}
            fallback: \(fallback)
            breaker: \(breaker)
            drain: {timeout_ms: 200, spread_ms: 0}
            \(more)
            """
        let configuration = try ConfigurationLoader.check(Array(yaml.utf8)).values
        let started = Parcel<(port: UInt16, stopper: GatewayStopper?)>()
        let ended = ended
        thread = try LoopThread(name: "gateway") {
            do {
                let process = try GatewayProcess(
                    configuration: configuration, logger: Logger(level: .error, format: .json))
                let stopper = process.stopper
                process.onListening = { started.give((port: $0, stopper: stopper)) }
                ended.give(process.run(handlesSignals: false))
            } catch {
                Issue.record(error)
                ended.give(false)
            }
            started.give((port: 0, stopper: nil))
        }
        (port, stopper) = started.take()
    }

    func stop() {
        stopper?.stop()
        #expect(ended.take())
        thread.join()
    }

    /// A metric without a label, or with the label as `name{label="value"}`.
    func metric(_ name: String) -> Double {
        let text = String(decoding: httpGet(port, "/metrics"), as: UTF8.self)
        for line in text.split(separator: "\n") where line.hasPrefix("\(name) ") {
            return Double(line.dropFirst(name.count + 1)) ?? -1
        }
        return -1
    }

    /// Waits until nothing is open any more.
    func expectNothingLeft() {
        let gauges = [
            "gateway_upstream_transfers", "gateway_responses_in_flight", "gateway_upstream_queue",
            "gateway_upstream_in_flight{upstream=\"primary\"}",
        ]
        for _ in 0..<500 {
            if gauges.allSatisfy({ metric($0) == 0 }) { return }
            usleep(10_000)
        }
        for gauge in gauges { #expect(metric(gauge) == 0, "\(gauge)") }
    }
}

/// The body of a plain GET.
func httpGet(_ port: UInt16, _ path: String) -> [UInt8] {
    let descriptor = connected(port)
    defer { Glibc.close(descriptor) }
    let request = Array("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8)
    _ = Glibc.send(descriptor, request, request.count, Int32(MSG_NOSIGNAL))
    var answer: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count > 0 else { break }
        answer += piece[..<count]
        // Some keep the connection: stop at the announced length.
        let text = String(decoding: answer, as: UTF8.self)
        if let head = text.range(of: "\r\n\r\n"),
            let field = text[..<head.lowerBound].lowercased().range(of: "content-length: "),
            let length = Int(text.lowercased()[field.upperBound...].prefix { $0.isNumber }),
            text[head.upperBound...].utf8.count >= length
        {
            break
        }
    }
    let text = String(decoding: answer, as: UTF8.self)
    guard let head = text.range(of: "\r\n\r\n") else { return [] }
    return Array(text[head.upperBound...].utf8)
}

private func connected(_ port: UInt16) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var time = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    _ = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    return descriptor
}

/// A blocking client that checks that events come once and in order, and keeps what it saw.
final class FaultyWorldClient {
    typealias Frame = [String: Any]

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var pending: [Frame] = []
    private(set) var transcript: [String] = []
    private(set) var sequence = 0
    private(set) var token = ""
    private(set) var states: [Frame] = []
    /// By message: the text so far, in order of arrival.
    private(set) var texts: [String: String] = [:]
    private var messages: [String: String] = [:]
    private var ends: [String: Frame] = [:]

    init(port: UInt16, resume: String? = nil) throws {
        descriptor = connected(port)
        write(
            Array(
                ("GET /v1/chat HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nUpgrade: websocket\r\n"
                    + "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: millrace.v1\r\n\r\n")
                    .utf8
            ))
        while !String(decoding: buffer, as: UTF8.self).contains("\r\n\r\n") { try fill() }
        let head = String(decoding: buffer, as: UTF8.self)
        guard head.hasPrefix("HTTP/1.1 101"), let end = head.range(of: "\r\n\r\n") else {
            throw Failure(description: head)
        }
        buffer.removeFirst(head[..<end.upperBound].utf8.count)
        if let resume {
            send(#"{"type":"hello","resume":{"token":"\#(resume)","after":0}}"#)
        } else {
            send(#"{"type":"hello"}"#)
        }
        while token.isEmpty { _ = try receive() }
    }

    deinit { Glibc.close(descriptor) }

    func send(_ text: String) {
        transcript.append("→ \(text)")
        let payload = Array(text.utf8)
        var frame: [UInt8] = [0x81]
        if payload.count < 126 {
            frame.append(0x80 | UInt8(payload.count))
        } else {
            frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        }
        write(frame + [0, 0, 0, 0] + payload)
    }

    func message(_ id: String, _ input: String, options: String = "{}") {
        send(#"{"type":"message","id":"\#(id)","input":"\#(input)","options":\#(options)}"#)
    }

    /// Sends a message and waits for its end.
    func ask(_ id: String, _ input: String, options: String = "{}") throws -> Frame {
        message(id, input, options: options)
        return try complete(id)
    }

    /// The end of a message's response.
    func complete(_ id: String) throws -> Frame {
        while true {
            if let end = ends[id] { return end }
            _ = try receive()
        }
    }

    func state(_ state: String, of id: String) throws -> Frame {
        try next { $0["state"] as? String == state && $0["message"] as? String == id }
    }

    func next(_ matches: (Frame) -> Bool) throws -> Frame {
        while true {
            let frame = try receive()
            if matches(frame) { return frame }
        }
    }

    func text(of id: String) -> String { texts[id] ?? "" }

    private func receive() throws -> Frame {
        while pending.isEmpty { try readFrame() }
        let frame = pending.removeFirst()
        switch frame["type"] as? String {
        case "ready"?, "token"?: token = frame["resume_token"] as? String ?? token
        case "state"?: states.append(frame)
        case "complete"?: ends[frame["message"] as? String ?? ""] = frame
        default: break
        }
        if frame["type"] as? String != "ready", frame["type"] as? String != "state",
            let last = frame["seq"] as? Int
        {
            let first = frame["from"] as? Int ?? last
            guard first == sequence + 1 else {
                throw Failure(description: "event \(first) after \(sequence)\n\(story)")
            }
            sequence = last
        }
        if let response = frame["response"] as? String {
            if let message = frame["message"] as? String { messages[response] = message }
            if frame["type"] as? String == "delta", frame["kind"] as? String == "text",
                let message = messages[response]
            {
                texts[message, default: ""] += frame["text"] as? String ?? ""
            }
        }
        return frame
    }

    var story: String { transcript.suffix(40).joined(separator: "\n") }

    private func readFrame() throws {
        let head = try take(2)
        var length = Int(head[1] & 0x7F)
        if length == 126 {
            length = try take(2).reduce(0) { $0 << 8 | Int($1) }
        } else if length == 127 {
            length = try take(8).reduce(0) { $0 << 8 | Int($1) }
        }
        let payload = try take(length)
        guard head[0] & 15 == 1 else {
            guard head[0] & 15 == 8 else { return }
            throw Failure(description: "closed\n\(story)")
        }
        for line in payload.split(separator: UInt8(ascii: "\n")) {
            transcript.append("← \(String(decoding: line.prefix(300), as: UTF8.self))")
            if let object = try JSONSerialization.jsonObject(with: Data(line)) as? Frame {
                pending.append(object)
            }
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffer.count < count { try fill() }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    private func fill() throws {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count > 0 else { throw Failure(description: "nothing came\n\(story)") }
        buffer += piece[..<count]
    }

    private func write(_ bytes: [UInt8]) {
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}

extension [String: Any] {
    var status: String { self["status"] as? String ?? "" }
    var code: String { (self["error"] as? [String: Any])?["code"] as? String ?? "" }
    var isRetryable: Bool { (self["error"] as? [String: Any])?["retryable"] as? Bool ?? false }
}
