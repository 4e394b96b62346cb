import EventLoop
import Foundation
import Glibc
import Synchronization
import Testing

/// An upstream that does with each request what a test's script says: one thread, many connections.
///
/// Each connection serves one request. A held one stays open until the peer closes it or the server stops.
final class ScriptedUpstream: Sendable {
    struct Request: Sendable {
        let method: String
        let path: String
        let body: [UInt8]

        var object: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
        }
    }

    struct Answer: Sendable {
        var bytes: [UInt8]
        /// Stays open after the bytes instead of being closed.
        var isHeld = false

        /// A head and a body that ends with the connection.
        static func ok(_ body: [UInt8], type: String = "text/event-stream") -> Answer {
            Answer(
                bytes: Array(
                    "HTTP/1.1 200 OK\r\ncontent-type: \(type)\r\nconnection: close\r\n\r\n".utf8)
                    + body)
        }

        static func status(_ status: Int, _ body: String = "{}") -> Answer {
            Answer(
                bytes: Array(
                    ("HTTP/1.1 \(status) Status\r\ncontent-type: application/json\r\n"
                        + "content-length: \(body.utf8.count)\r\nconnection: close\r\n\r\n\(body)")
                        .utf8))
        }

        /// A whole short answer.
        static let hello = Answer.ok(ScriptedUpstream.stream())

        /// Takes the request and says nothing.
        static let silence = Answer(bytes: [], isHeld: true)

        func held() -> Answer { Answer(bytes: bytes, isHeld: true) }
    }

    /// The stream of a whole short answer, in events.
    static func events(text: String) -> [[UInt8]] {
        let item =
            #"{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"\#(text)"}]}"#
        let response = #"{"id":"resp_1","model":"m","status":"in_progress","output":[]}"#
        let done = #"{"id":"resp_1","model":"m","status":"completed","output":[\#(item)]}"#
        return [
            #"{"type":"response.created","response":\#(response)}"#,
            #"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","content":[]}}"#,
            #"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"\#(text)"}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":\#(item)}"#,
            #"{"type":"response.completed","response":\#(done)}"#,
        ].map { Array("data: \($0)\n\n".utf8) }
    }

    /// Its first events as one body.
    static func stream(_ text: String = "Hello", events count: Int = .max) -> [UInt8] {
        events(text: text).prefix(count).flatMap(\.self)
    }

    private final class Peer {
        let descriptor: Int32
        var bytes: [UInt8] = []
        var isAnswered = false
        init(_ descriptor: Int32) { self.descriptor = descriptor }
    }

    let port: UInt16
    private let listener: Int32
    private let wake: (read: Int32, write: Int32)
    private let thread: LoopThread

    private final class Log: Sendable {
        let requests = Mutex<[Request]>([])
        let open = Mutex<Int>(0)
        /// Answered connections that stay open.
        let held = Mutex<[Int32]>([])
        let changed = NSCondition()
    }
    private let log: Log

    /// Listens on a free port; `script` runs on the server's thread.
    init(_ script: @escaping @Sendable (Request) -> Answer) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && listen(descriptor, 512) == 0
                    && getsockname(descriptor, address, &size) == 0
            }
        }
        try #require(isBound)
        var pair: [Int32] = [0, 0]
        try #require(pipe(&pair) == 0)
        let log = Log()
        self.log = log
        listener = descriptor
        wake = (pair[0], pair[1])
        port = UInt16(bigEndian: address.sin_port)
        let stop = pair[0]
        thread = try LoopThread(name: "scripted") {
            Self.serve(descriptor, until: stop, log, script)
        }
    }

    var url: String { "http://127.0.0.1:\(port)/v1" }

    /// All requests so far.
    var requests: [Request] { log.requests.withLock { $0 } }

    /// Waits until so many requests have come.
    func waitForRequests(_ count: Int) {
        let limit = Date(timeIntervalSinceNow: 10)
        log.changed.lock()
        defer { log.changed.unlock() }
        while requests.count < count {
            guard log.changed.wait(until: limit) else {
                Issue.record("\(requests.count) requests came, not \(count)")
                return
            }
        }
    }

    /// Waits until no connection is open.
    func waitForClosed() {
        let limit = Date(timeIntervalSinceNow: 10)
        log.changed.lock()
        defer { log.changed.unlock() }
        while log.open.withLock({ $0 }) > 0 {
            guard log.changed.wait(until: limit) else {
                Issue.record("connections are still open")
                return
            }
        }
    }

    /// Writes more to every connection that is held.
    func send(_ bytes: [UInt8]) {
        log.held.withLock { descriptors in
            for descriptor in descriptors { _ = Self.write(bytes, to: descriptor) }
        }
    }

    func stop() {
        Glibc.close(wake.write)
        thread.join()
        Glibc.close(wake.read)
        Glibc.close(listener)
    }

    // MARK: The server's thread

    private static func serve(
        _ listener: Int32, until stop: Int32, _ log: Log,
        _ script: (Request) -> Answer
    ) {
        var peers: [Peer] = []
        defer { for peer in peers { Glibc.close(peer.descriptor) } }
        while true {
            var watched = [
                pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
            ]
            watched += peers.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
            guard poll(&watched, nfds_t(watched.count), -1) >= 0 || errno == EINTR else { return }
            if watched[0].revents != 0 { return }
            for (peer, watch) in zip(peers, watched.dropFirst(2)) where watch.revents != 0 {
                if !read(peer, log, script) {
                    log.held.withLock { held in
                        held.removeAll { $0 == peer.descriptor }
                        Glibc.close(peer.descriptor)
                    }
                    peers.removeAll { $0 === peer }
                    note(log) { log.open.withLock { $0 -= 1 } }
                }
            }
            if watched[1].revents != 0 {
                let descriptor = accept(listener, nil, nil)
                if descriptor >= 0 {
                    peers.append(Peer(descriptor))
                    note(log) { log.open.withLock { $0 += 1 } }
                }
            }
        }
    }

    private static func note(_ log: Log, _ change: () -> Void) {
        log.changed.withLock {
            change()
            log.changed.broadcast()
        }
    }

    /// Reads what came, and answers a request that is whole; false when the connection is over.
    private static func read(_ peer: Peer, _ log: Log, _ script: (Request) -> Answer) -> Bool {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(peer.descriptor, &piece, piece.count, 0)
        guard count > 0 else { return false }
        peer.bytes += piece[..<count]
        guard !peer.isAnswered, let request = request(in: peer.bytes) else { return true }
        peer.isAnswered = true
        let answer = script(request)
        let isWritten = write(answer.bytes, to: peer.descriptor)
        if isWritten, answer.isHeld { log.held.withLock { $0.append(peer.descriptor) } }
        note(log) { log.requests.withLock { $0.append(request) } }
        return isWritten && answer.isHeld
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(
                    descriptor, buffer.baseAddress?.advanced(by: sent), bytes.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    private static func request(in bytes: [UInt8]) -> Request? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let head = text[..<end.lowerBound]
        let lines = head.split(separator: "\r\n")
        let length =
            lines.first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.drop { !$0.isNumber }) } ?? 0
        let start = text[..<end.upperBound].utf8.count
        guard bytes.count >= start + length else { return nil }
        let words = lines.first?.split(separator: " ") ?? []
        return Request(
            method: words.first.map(String.init) ?? "",
            path: words.dropFirst().first.map(String.init) ?? "",
            body: Array(bytes[start..<(start + length)]))
    }
}
