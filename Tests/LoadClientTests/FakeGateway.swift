import Foundation
import LoadClient
import Synchronization

/// A gateway of one thread that keeps logs, resumes and, when asked, breaks one promise.
final class FakeGateway: Sendable {
    enum Fault: Sendable, CaseIterable {
        case none, gap, wrongHash, secondComplete, afterComplete, binaryFrame, neverComplete
        case eventBeforeReady, failed, oneConnection, closeCode
    }

    let port: UInt16
    private let isStopping = Atomic<Bool>(false)

    /// Sends `deltas` deltas a millisecond apart for each message, or answers every handshake with `refusing`.
    init(fault: Fault = .none, deltas: Int = 10, merging: Bool = false, refusing: Int? = nil) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                precondition(bind(listener, generic, length) == 0)
                precondition(getsockname(listener, generic, &length) == 0)
            }
        }
        listen(listener, 128)
        port = UInt16(bigEndian: address.sin_port)
        let loop = FakeGatewayLoop(
            listener: listener, fault: fault, deltas: deltas, merging: merging, refusing: refusing)
        let thread = Thread { [self] in
            while !isStopping.load(ordering: .relaxed) { loop.turn() }
            loop.close()
        }
        thread.start()
    }

    var url: String { "ws://127.0.0.1:\(port)" }

    func stop() { isStopping.store(true, ordering: .relaxed) }
}

/// Confined to the thread of its gateway.
private final class FakeGatewayLoop: @unchecked Sendable {
    final class Chat {
        var log: [String] = []
        var running: [(message: String, response: String, left: Int, text: String)] = []
        var seen: Set<String> = []
    }

    final class Client {
        let fd: Int32
        var input: [UInt8] = []
        var isUpgraded = false
        var chat: Chat?
        var cursor = 0
        init(fd: Int32) { self.fd = fd }
    }

    let listener: Int32
    let fault: FakeGateway.Fault
    let deltas: Int
    let merging: Bool
    let refusing: Int?
    var clients: [Int32: Client] = [:]
    var chats: [String: Chat] = [:]
    var responses = 0
    var upgrades = 0
    var turns = 0

    init(listener: Int32, fault: FakeGateway.Fault, deltas: Int, merging: Bool, refusing: Int?) {
        self.listener = listener
        self.fault = fault
        self.deltas = deltas
        self.merging = merging
        self.refusing = refusing
    }

    func close() {
        for fd in clients.keys { Glibc.close(fd) }
        Glibc.close(listener)
    }

    func turn() {
        var polled = ([listener] + clients.keys).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        poll(&polled, nfds_t(polled.count), 1)
        for entry in polled where entry.revents != 0 {
            if entry.fd == listener {
                let fd = accept(listener, nil, nil)
                if fd >= 0 { clients[fd] = Client(fd: fd) }
            } else if let client = clients[entry.fd] {
                read(client)
            }
        }
        for chat in chats.values { advance(chat) }
        turns += 1
        for client in clients.values { deliver(client) }
    }

    private func read(_ client: Client) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(client.fd, &chunk, chunk.count, 0)
        guard count > 0 else {
            Glibc.close(client.fd)
            clients[client.fd] = nil
            return
        }
        client.input += chunk[..<count]
        if !client.isUpgraded { upgrade(client) }
        while client.isUpgraded, let text = frame(client) { receive(text, client) }
    }

    private func upgrade(_ client: Client) {
        let text = String(decoding: client.input, as: UTF8.self)
        // What a server of HTTP says to TLS.
        guard text.hasPrefix("G") else { return refuse(client, with: 400) }
        guard text.hasSuffix("\r\n\r\n"), let start = text.range(of: "Sec-WebSocket-Key: ") else {
            return
        }
        if let refusing { return refuse(client, with: refusing) }
        if fault == .oneConnection, upgrades == 1 { return refuse(client, with: 503) }
        upgrades += 1
        let key = text[start.upperBound...].prefix { $0 != "\r\n" }
        let magic = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        client.input = []
        client.isUpgraded = true
        let answer =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(Base64.encode(Digest.sha1(magic)))\r\n\r\n"
        // With a ping behind it: clients must answer, and take it before `ready`.
        write(Array(answer.utf8) + [0x89, 0x01, 0x70], client)
    }

    private func refuse(_ client: Client, with status: Int) {
        write(Array("HTTP/1.1 \(status) No\r\nContent-Length: 0\r\n\r\n".utf8), client)
    }

    /// One whole text frame; other kinds are passed over.
    private func frame(_ client: Client) -> String? {
        while client.input.count >= 6 {
            let short = Int(client.input[1] & 0x7F)
            let header = short == 126 ? 4 : 2
            let length = short == 126 ? Int(client.input[2]) << 8 | Int(client.input[3]) : short
            guard client.input.count >= header + 4 + length else { return nil }
            let mask = Array(client.input[header..<(header + 4)])
            let payload = client.input[(header + 4)..<(header + 4 + length)].enumerated()
                .map { $1 ^ mask[$0 % 4] }
            let opcode = client.input[0] & 0x0F
            client.input.removeFirst(header + 4 + length)
            if opcode == 1 { return String(decoding: payload, as: UTF8.self) }
        }
        return nil
    }

    private func receive(_ text: String, _ client: Client) {
        let json = JSONValue(parsing: Array(text.utf8).span)
        switch json?["type"]?.string {
        case "hello" where fault == .eventBeforeReady:
            send(#"{"type":"message","seq":1,"id":"m1","input":""}"#, client)
        case "hello":
            let token = json?["resume"]?["token"]?.string
            let known = token.flatMap { chats[$0] }
            let name = known == nil ? "s\(chats.count)" : token ?? ""
            let chat = known ?? Chat()
            chats[name] = chat
            client.chat = chat
            client.cursor = Int(json?["resume"]?["after"]?.number ?? 0)
            send(
                #"{"type":"ready","session":"\#(name)","epoch":"e","seq":\#(chat.log.count),"resume_token":"\#(name)","recovered":\#(known != nil)}"#,
                client)
        case "message":
            let id = json?["id"]?.string ?? ""
            guard let chat = client.chat else { return }
            guard chat.seen.insert(id).inserted else {
                return send(
                    #"{"type":"state","state":"attached","message":"\#(id)","seq":1}"#, client)
            }
            responses += 1
            append(#""type":"message","id":"\#(id)","input":"""#, chat)
            append(#""type":"response","response":"r\#(responses)","message":"\#(id)""#, chat)
            chat.running.append((id, "r\(responses)", deltas, ""))
        case "cancel":
            guard let chat = client.chat, !chat.running.isEmpty else { return }
            complete(chat.running.removeFirst(), status: "cancelled", chat)
        default: break
        }
    }

    private func append(_ members: String, _ chat: Chat) {
        let skipped = fault == .gap && chat.log.count == 5 ? 1 : 0
        chat.log.append("{\"seq\":\(chat.log.count + 1 + skipped),\(members)}")
    }

    private func advance(_ chat: Chat) {
        for place in chat.running.indices.reversed() {
            if chat.running[place].left == 0 {
                guard fault != .neverComplete else { continue }
                if fault == .closeCode { closeWrongly(chat) }
                complete(
                    chat.running.remove(at: place),
                    status: fault == .failed ? "failed" : "completed", chat)
                continue
            }
            let text = "⟦\(MonotonicClock.now)⟧word "
            chat.running[place].left -= 1
            chat.running[place].text += text
            append(
                #""type":"delta","response":"\#(chat.running[place].response)","index":0,"kind":"text","text":"\#(text)""#,
                chat)
        }
    }

    private func closeWrongly(_ chat: Chat) {
        for client in clients.values where client.chat === chat {
            write([0x88, 0x02, 0x03, 0xE7], client)
        }
    }

    private func complete(
        _ end: (message: String, response: String, left: Int, text: String), status: String,
        _ chat: Chat
    ) {
        let text = Array((fault == .wrongHash ? end.text + "!" : end.text).utf8)
        let hash = Hexadecimal.encode(Digest.sha256(text))
        let line =
            #""type":"complete","response":"\#(end.response)","message":"\#(end.message)","status":"\#(status)","text_sha256":"\#(hash)""#
        append(line, chat)
        if fault == .secondComplete { append(line, chat) }
        if fault == .afterComplete {
            append(#""type":"delta","response":"\#(end.response)","kind":"text","text":"x""#, chat)
        }
    }

    private func deliver(_ client: Client) {
        guard let chat = client.chat, client.cursor < chat.log.count else { return }
        if merging, turns % 5 != 0 { return }
        let lines = chat.log[client.cursor...].joined(separator: "\n")
        client.cursor = chat.log.count
        send(lines, client)
    }

    private func send(_ text: String, _ client: Client) {
        let payload = Array(text.utf8)
        let opcode: UInt8 = fault == .binaryFrame && text.contains("complete") ? 0x82 : 0x81
        let length: [UInt8] =
            payload.count < 126
            ? [UInt8(payload.count)]
            : [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        write([opcode] + length + payload, client)
    }

    private func write(_ bytes: [UInt8], _ client: Client) {
        _ = Glibc.send(client.fd, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}
