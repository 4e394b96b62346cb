import Foundation
import Glibc
import Testing

/// A blocking client of the native protocol of the smallest kind; keeps the transcript for a failing test.
final class ChatClient {
    struct Failure: Error, CustomStringConvertible {
        let reason: String
        let transcript: [String]
        var description: String { ([reason] + transcript.suffix(30)).joined(separator: "\n") }
    }

    typealias Frame = [String: Any]

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var pending: [Frame] = []
    private(set) var transcript: [String] = []
    private(set) var ready: Frame = [:]
    private(set) var events: [Frame] = []
    private(set) var sequence = 0
    private(set) var token = ""
    /// The code that the gateway closed with.
    private(set) var closeCode: Int?

    /// Connects, greets, and waits for `ready`.
    init(port: UInt16, resume: String? = nil, after: Int = 0) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        sequence = after
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var time = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw failure("connect: \(String(cString: strerror(errno)))") }
        write(
            Array(
                """
                GET /v1/chat HTTP/1.1\r
                Host: 127.0.0.1:\(port)\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
                Sec-WebSocket-Version: 13\r
                Sec-WebSocket-Protocol: millrace.v1\r
                \r

                """.utf8))
        while !buffer.ends(headAt: "\r\n\r\n") { try fill() }
        let end = try #require(buffer.position(after: "\r\n\r\n"))
        guard buffer.starts(with: "HTTP/1.1 101".utf8) else {
            throw failure(String(decoding: buffer, as: UTF8.self))
        }
        buffer.removeFirst(end)
        if let resume {
            send(#"{"type":"hello","resume":{"token":"\#(resume)","after":\#(after)}}"#)
        } else {
            send(#"{"type":"hello"}"#)
        }
        ready = try expect("ready")
    }

    deinit { close() }

    private var isClosed = false

    func close() {
        guard !isClosed else { return }
        isClosed = true
        Glibc.close(descriptor)
    }

    func failure(_ reason: String) -> Failure { Failure(reason: reason, transcript: transcript) }

    func send(_ text: String) {
        transcript.append("→ \(text)")
        let payload = Array(text.utf8)
        var frame: [UInt8] = [0x81]
        if payload.count < 126 {
            frame.append(0x80 | UInt8(payload.count))
        } else {
            frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        }
        frame += [0, 0, 0, 0]  // A mask of zeros leaves the payload as it is.
        write(frame + payload)
    }

    func message(_ id: String, _ input: String) {
        send(#"{"type":"message","id":"\#(id)","input":"\#(input)"}"#)
    }

    /// The next frame of that type whose fields have those values; others are passed over.
    @discardableResult
    func expect(_ type: String, _ fields: [String: String] = [:]) throws -> Frame {
        while true {
            let frame = try receive()
            guard frame["type"] as? String == type,
                fields.allSatisfy({ frame[$0.key] as? String == $0.value })
            else { continue }
            return frame
        }
    }

    /// Reads up to the close frame.
    func expectClose() throws {
        do {
            while true { _ = try receive() }
        } catch {
            if closeCode == nil { throw error }
        }
    }

    private func receive() throws -> Frame {
        while pending.isEmpty { try readFrame() }
        let frame = pending.removeFirst()
        let type = frame["type"] as? String
        if type == "ready" || type == "token" {
            token = frame["resume_token"] as? String ?? token
        } else if type == "snapshot" {
            sequence = frame["through"] as? Int ?? sequence
        } else if type != "state", let last = frame["seq"] as? Int {
            let first = frame["from"] as? Int ?? last
            guard first == sequence + 1 else {
                throw failure("event \(first) came after \(sequence)")
            }
            sequence = last
            events.append(frame)
        }
        return frame
    }

    private func readFrame() throws {
        let head = try take(2)
        var length = Int(head[1] & 0x7F)
        if length == 126 {
            length = try take(2).reduce(0) { $0 << 8 | Int($1) }
        } else if length == 127 {
            length = try take(8).reduce(0) { $0 << 8 | Int($1) }
        }
        let payload = try take(length)
        switch head[0] & 15 {
        case 1:
            for line in payload.split(separator: UInt8(ascii: "\n")) {
                transcript.append("← \(String(decoding: line.prefix(300), as: UTF8.self))")
                let object = try JSONSerialization.jsonObject(with: Data(line))
                pending.append(try #require(object as? Frame))
            }
        case 8:
            closeCode = payload.prefix(2).reduce(0) { $0 << 8 | Int($1) }
            throw failure("closed with \(closeCode ?? 0)")
        default: break
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
        guard count > 0 else { throw failure("the connection ended") }
        buffer += piece[..<count]
    }

    private func write(_ bytes: [UInt8]) {
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// The joined text of a response.
    var text: String {
        events.filter { $0["type"] as? String == "delta" && $0["kind"] as? String == "text" }
            .compactMap { $0["text"] as? String }.joined()
    }
}

extension [UInt8] {
    fileprivate func position(after text: String) -> Int? {
        let wanted = Array(text.utf8)
        guard count >= wanted.count else { return nil }
        return (0...(count - wanted.count)).first { self[$0...].starts(with: wanted) }
            .map { $0 + wanted.count }
    }

    fileprivate func ends(headAt text: String) -> Bool { position(after: text) != nil }
}
