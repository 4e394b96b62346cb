import CommandLineOptions
import EventLoop
import Glibc
import Testing

@testable import Simulator

/// Runs a simulator on this thread while `client` uses it from another, and expects a clean end.
func withSimulator(
    _ options: SimulatorOptions = SimulatorOptions(),
    client: @escaping @Sendable (SimulatorClient) throws -> Void
) throws {
    let loop = try EventLoop()
    let done = Mailbox<Bool>(loop: loop)
    var simulator: Simulator?
    var thread: LoopThread?
    loop.run(started: {
        do {
            let started = try Simulator(loop: loop, options: options)
            simulator = started
            let port = started.port
            done.setHandler { _ in
                started.stop()
                loop.close()
            }
            thread = try LoopThread(name: "client") {
                do { try client(SimulatorClient(port: port)) } catch { Issue.record(error) }
                done.send(true)
            }
        } catch {
            Issue.record(error)
            loop.close()
        }
    })
    thread?.join()
    simulator?.finishStopping()
    #expect(loop.destroy(), "handles were left on the loop")
}

/// What came back for one request.
struct HTTPAnswer {
    enum End { case whole, closed, reset, timeout }

    let status: Int
    let headers: [String: String]
    let body: [UInt8]
    let chunkSizes: [Int]
    let end: End

    /// The chunks of `bytes` put together; nil when the last is missing.
    static func joinedChunks(_ bytes: ArraySlice<UInt8>) -> (body: [UInt8], sizes: [Int])? {
        var rest = bytes
        var body: [UInt8] = []
        var sizes: [Int] = []
        while let newline = rest.firstIndex(of: 10),
            let size = Int(String(decoding: rest[..<(newline - 1)], as: UTF8.self), radix: 16)
        {
            let start = newline + 1
            guard start + size + 2 <= rest.endIndex else { break }
            if size == 0 { return (body, sizes) }
            body += rest[start..<start + size]
            sizes.append(size)
            rest = rest[(start + size + 2)...]
        }
        return nil
    }
}

/// A blocking HTTP client of the smallest kind: one connection a request.
struct SimulatorClient: Sendable {
    let port: UInt16

    func create(_ json: String) -> HTTPAnswer { request("POST", "/v1/responses", json) }

    func json(_ method: String, _ path: String) throws -> JSONValue {
        try JSONParser.parse(request(method, path).body)
    }

    func request(
        _ method: String, _ path: String, _ body: String? = nil, headers: String = "",
        timeout: Int = 30, stopAfter limit: Int = .max, stopAt mark: String? = nil
    ) -> HTTPAnswer {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var time = timeval(tv_sec: timeout, tv_usec: 0)
        if timeout == 0 { time.tv_usec = 200_000 }
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        var text = "\(method) \(path) HTTP/1.1\r\nhost: localhost\r\n\(headers)"
        if method == "POST", !headers.hasPrefix("transfer-encoding") {
            text += "content-length: \(body?.utf8.count ?? 0)\r\n"
        }
        text += "\r\n\(body ?? "")"
        _ = Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
        return read(descriptor, stopAfter: limit, stopAt: mark)
    }

    private func read(
        _ descriptor: Int32, stopAfter limit: Int, stopAt mark: String?
    ) -> HTTPAnswer {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            // A process that was stopped and goes on has its waiting ended.
            if count < 0, errno == EINTR { continue }
            if count < 0 {
                return answer(bytes, errno == EAGAIN ? .timeout : .reset)
            }
            if count == 0 { return answer(bytes, .closed) }
            bytes += buffer[..<count]
            let soFar = answer(bytes, .whole)
            if soFar.end == .whole || bytes.count >= limit { return soFar }
            if let mark, soFar.body.text.contains(mark) { return soFar }
        }
    }

    /// What `bytes` are so far: `end` is `.whole` when nothing is missing, else `otherwise`.
    private func answer(_ bytes: [UInt8], _ otherwise: HTTPAnswer.End) -> HTTPAnswer {
        var headEnd = 0
        while headEnd + 4 <= bytes.count, !bytes[headEnd...].starts(with: "\r\n\r\n".utf8) {
            headEnd += 1
        }
        guard headEnd + 4 <= bytes.count else {
            return HTTPAnswer(
                status: 0, headers: [:], body: bytes, chunkSizes: [],
                end: otherwise == .whole ? .closed : otherwise)
        }
        let lines = bytes[..<headEnd].split(separator: 10).map {
            String(decoding: $0, as: UTF8.self).filter { $0 != "\r" && $0 != "\r\n" }
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[String(line[..<colon])] = String(line[line.index(after: colon)...].dropFirst())
        }
        let status = Int(lines.first?.split(separator: " ").dropFirst().first ?? "") ?? 0
        let rest = bytes[(headEnd + 4)...]
        var body = Array(rest)
        var sizes: [Int] = []
        var isWhole = false
        if headers["transfer-encoding"] == "chunked" {
            if let joined = HTTPAnswer.joinedChunks(rest) {
                (body, sizes) = joined
                isWhole = true
            }
        } else if let length = headers["content-length"].flatMap({ Int($0) }) {
            isWhole = rest.count >= length
        }
        let end = isWhole ? .whole : (otherwise == .whole ? HTTPAnswer.End.closed : otherwise)
        return HTTPAnswer(
            status: status, headers: headers, body: body, chunkSizes: sizes, end: end)
    }
}
