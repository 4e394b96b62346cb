import Foundation
import Testing

/// A WebSocket, in JSON objects; keeps a transcript for a failing test.
final class ChatSocket {
    struct Failure: Error, CustomStringConvertible {
        let reason: String
        let transcript: [String]
        var description: String { ([reason] + transcript.suffix(40)).joined(separator: "\n") }
    }

    typealias Frame = [String: Any]

    private let socket: TestSocket
    private var pending: [Frame] = []
    private(set) var transcript: [String] = []
    /// The code that the gateway closed with.
    private(set) var closeCode: Int?
    /// Pings so far.
    private(set) var pings = 0
    /// A peer that is alive does; off where the test is about one that is not, or does not take long.
    var answersPings = false

    /// Connects and upgrades; to the native protocol, or to what another path speaks.
    init(port: UInt16, path: String = "/v1/chat", receiveBuffer: Int32? = nil) throws {
        socket = try TestSocket(port: port, receiveBuffer: receiveBuffer)
        socket.write(
            Array(
                """
                GET \(path) HTTP/1.1\r
                Host: 127.0.0.1:\(port)\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
                Sec-WebSocket-Version: 13\r
                Sec-WebSocket-Protocol: millrace.v1\r
                \r

                """.utf8))
        let head = try socket.readHead()
        guard head.hasPrefix("HTTP/1.1 101") else { throw failure(head) }
    }

    func close() { socket.close() }

    func failure(_ reason: String) -> Failure { Failure(reason: reason, transcript: transcript) }

    func send(_ text: String) {
        transcript.append("→ \(text.prefix(300))")
        let payload = Array(text.utf8)
        var frame: [UInt8] = [0x81]
        switch payload.count {
        case ..<126: frame.append(0x80 | UInt8(payload.count))
        case ..<65_536:
            frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default:
            frame.append(0x80 | 127)
            frame += (0..<8).reversed().map { UInt8(truncatingIfNeeded: payload.count >> (8 * $0)) }
        }
        frame += [0, 0, 0, 0]  // A mask of zeros leaves the payload as it is.
        socket.write(frame + payload)
    }

    /// The next object.
    func receive() throws -> Frame {
        while pending.isEmpty { try readFrame() }
        return pending.removeFirst()
    }

    /// The objects of the next WebSocket frame that holds any; only where `receive` has left nothing.
    func receiveFrame() throws -> [Frame] {
        while pending.isEmpty { try readFrame() }
        defer { pending = [] }
        return pending
    }

    /// Waits for the next ping; what comes before it is kept for `receive`.
    func receivePing() throws {
        let before = pings
        while pings == before { try readFrame() }
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
        case 9:
            pings += 1
            guard answersPings else { return }
            socket.write([0x8A, 0x80 | UInt8(payload.count), 0, 0, 0, 0] + payload)
        default: break
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        do {
            return try socket.read(count)
        } catch {
            throw failure("\(error)")
        }
    }
}
