import Foundation
import TokenSigning

/// A blocking client of the native protocol: checks that events come once and in order, and keeps what it saw.
final class ChatClient {
    typealias Frame = ChatSocket.Frame

    private let socket: ChatSocket
    private(set) var ready: Frame = [:]
    private(set) var events: [Frame] = []
    private(set) var states: [Frame] = []
    private(set) var sequence = 0
    private(set) var token = ""
    /// By response: the message that it answers.
    private var messages: [String: String] = [:]
    /// By message: the text so far, in order of arrival, and the `complete`.
    private var texts: [String: String] = [:]
    private var ends: [String: Frame] = [:]

    /// Connects, greets, and waits for `ready`.
    init(
        port: UInt16, resume: String? = nil, after: Int = 0, receiveBuffer: Int32? = nil
    ) throws {
        socket = try ChatSocket(port: port, receiveBuffer: receiveBuffer)
        sequence = after
        if let resume {
            send(#"{"type":"hello","resume":{"token":"\#(resume)","after":\#(after)}}"#)
        } else {
            send(#"{"type":"hello"}"#)
        }
        ready = try expect("ready")
    }

    deinit { close() }

    func close() { socket.close() }

    /// The code that the gateway closed with.
    var closeCode: Int? { socket.closeCode }

    /// The last of what went over the wire.
    var story: String { socket.failure("").description }

    func send(_ text: String) { socket.send(text) }

    func message(_ id: String, _ input: String, options: String = "{}") {
        send(#"{"type":"message","id":"\#(id)","input":"\#(input)","options":\#(options)}"#)
    }

    func cancel(_ id: String) { send(#"{"type":"cancel","message":"\#(id)"}"#) }

    // MARK: Waiting

    /// Sends a message and waits for its end.
    func ask(_ id: String, _ input: String, options: String = "{}") throws -> Frame {
        message(id, input, options: options)
        return try complete(id)
    }

    /// The end of a message's response, which may have come before.
    func complete(_ id: String) throws -> Frame {
        while true {
            if let end = ends[id] { return end }
            _ = try receive()
        }
    }

    /// The next frame of that type whose fields have those values; others are passed over.
    @discardableResult
    func expect(_ type: String, _ fields: [String: String] = [:]) throws -> Frame {
        try next { frame in
            frame["type"] as? String == type
                && fields.allSatisfy { frame[$0.key] as? String == $0.value }
        }
    }

    func state(_ state: String, of id: String) throws -> Frame {
        try expect("state", ["state": state, "message": id])
    }

    func next(_ matches: (Frame) -> Bool) throws -> Frame {
        while true {
            let frame = try receive()
            if matches(frame) { return frame }
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

    // MARK: What came

    /// The joined text of the only response.
    var text: String {
        events.filter { $0["type"] as? String == "delta" && $0["kind"] as? String == "text" }
            .compactMap { $0["text"] as? String }.joined()
    }

    func text(of id: String) -> String { texts[id] ?? "" }

    private func receive() throws -> Frame {
        let frame = try socket.receive()
        switch frame["type"] as? String {
        case "ready"?, "token"?: token = frame["resume_token"] as? String ?? token
        case "snapshot"?: keep(snapshot: frame)
        case "state"?: states.append(frame)
        default: try keep(frame)
        }
        return frame
    }

    /// It stands for everything up to its `through`, texts and ends of responses among it.
    private func keep(snapshot frame: Frame) {
        sequence = frame["through"] as? Int ?? sequence
        for response in frame["responses"] as? [Frame] ?? [] {
            guard let message = response["message"] as? String else { continue }
            ends[message] = response["complete"] as? Frame ?? ends[message]
            if let name = response["response"] as? String { messages[name] = message }
            texts[message] = Self.text(ofSnapshot: response)
        }
    }

    /// The items that are finished, and what has come of the others.
    private static func text(ofSnapshot response: Frame) -> String {
        var parts: [(index: Int, text: String)] = []
        for entry in response["items"] as? [Frame] ?? [] {
            for content in (entry["item"] as? Frame)?["content"] as? [Frame] ?? []
            where content["type"] as? String == "output_text" {
                parts.append((entry["index"] as? Int ?? 0, content["text"] as? String ?? ""))
            }
        }
        for entry in response["partial"] as? [Frame] ?? [] where entry["kind"] as? String == "text"
        {
            parts.append((entry["index"] as? Int ?? 0, entry["text"] as? String ?? ""))
        }
        return parts.sorted { $0.index < $1.index }.map(\.text).joined()
    }

    private func keep(_ frame: Frame) throws {
        guard let last = frame["seq"] as? Int else { return }
        let first = frame["from"] as? Int ?? last
        guard first == sequence + 1 else {
            throw socket.failure("event \(first) came after \(sequence)")
        }
        sequence = last
        events.append(frame)
        guard let response = frame["response"] as? String else { return }
        if let message = frame["message"] as? String {
            messages[response] = message
            if frame["type"] as? String == "complete" { ends[message] = frame }
        }
        if frame["type"] as? String == "delta", frame["kind"] as? String == "text",
            let message = messages[response]
        {
            texts[message, default: ""] += frame["text"] as? String ?? ""
        }
    }
}

extension [String: Any] {
    var status: String { self["status"] as? String ?? "" }
    var code: String { (self["error"] as? [String: Any])?["code"] as? String ?? "" }
    var isRetryable: Bool { (self["error"] as? [String: Any])?["retryable"] as? Bool ?? false }
}

extension String {
    /// The SHA-256 of its UTF-8 as hexadecimal.
    var sha256: String? { try? SHA256Digest.hex(of: Array(utf8)) }
}
