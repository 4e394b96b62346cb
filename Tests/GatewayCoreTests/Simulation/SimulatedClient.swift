@testable import GatewayCore

/// What was wrong, and where.
struct SimulationFault: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A client that keeps the rules of the protocol, and notices when the gateway does not.
struct SimulatedClient {
    /// What it shows of one response.
    struct Shown: Equatable {
        var texts: [Int: [UInt8]] = [:]
        var openTools: Set<Int> = []
        var items: Set<Int> = []
        var status: String?
    }

    /// The connection it has now, and what is on its way to it there.
    var connection: Int?
    var inbox: [[UInt8]] = []
    /// It does not read.
    var isStalled = false
    /// The highest event it has processed.
    private(set) var after = 0
    private(set) var shown: [String: Shown] = [:]
    /// Snapshots it was given.
    private(set) var snapshots = 0
    private(set) var merged = 0

    /// Loses its connection with all that is on the way.
    mutating func disconnect() {
        connection = nil
        inbox = []
        isStalled = false
    }

    mutating func read() throws {
        let frames = inbox
        inbox = []
        for frame in frames {
            for line in try WireFrame.lines(frame) { try take(line) }
        }
    }

    private mutating func take(_ line: WireFrame) throws {
        if line.type == "snapshot" { return try apply(snapshot: line) }
        guard let sequence = line.sequence, line.type != "state" else { return }
        guard line.from == after + 1, sequence > after else {
            throw SimulationFault("after \(after) came \(line.line)")
        }
        if line.raw("from") != nil { merged += 1 }
        after = sequence
        guard let response = line.text("response") else { return }
        var known = shown[response] ?? Shown()
        guard known.status == nil else {
            throw SimulationFault("after the end of \(response) came \(line.line)")
        }
        try apply(line, to: &known)
        shown[response] = known
    }

    private func apply(_ line: WireFrame, to known: inout Shown) throws {
        let index = line.integer("index") ?? 0
        switch line.type {
        case "delta" where line.text("kind") == "text":
            known.texts[index, default: []] += line.contents("text") ?? []
        case "tool":
            let isFinal = ["completed", "failed", "incomplete"].contains(line.text("status"))
            if line.raw("delta") == nil, isFinal {
                guard known.openTools.remove(index) != nil else {
                    throw SimulationFault("a tool ended that never began: \(line.line)")
                }
            } else {
                known.openTools.insert(index)
            }
        case "item":
            guard known.items.insert(index).inserted else {
                throw SimulationFault("an item came twice: \(line.line)")
            }
        case "complete":
            known.status = line.text("status")
            try check(complete: line, known)
        default: break
        }
    }

    /// The text that the client shows of a response.
    static func text(of shown: Shown) -> [UInt8] {
        decode(shown.texts.keys.sorted().flatMap { shown.texts[$0] ?? [] })
    }

    private func check(complete: WireFrame, _ known: Shown) throws {
        let text = Self.text(of: known)
        guard complete.text("text_sha256") == SHA256.hex(text),
            complete.integer("text_bytes") == text.count
        else { throw SimulationFault("the text shown is not that of \(complete.line)") }
        guard known.openTools.isEmpty else {
            throw SimulationFault("tools are open at \(complete.line)")
        }
    }

    private mutating func apply(snapshot: WireFrame) throws {
        guard let through = snapshot.integer("through"), through >= after else {
            throw SimulationFault("a snapshot leads back from \(after): \(snapshot.line)")
        }
        snapshots += 1
        after = through
        shown = [:]
        for response in snapshot.frames("responses") {
            guard let id = response.text("response") else { continue }
            var known = Shown()
            for item in response.frames("items") {
                let index = item.integer("index") ?? 0
                known.items.insert(index)
                for part in item.frame("item")?.frames("content") ?? []
                where part.text("type") == "output_text" {
                    known.texts[index, default: []] += part.contents("text") ?? []
                }
            }
            for partial in response.frames("partial") {
                let index = partial.integer("index") ?? 0
                switch partial.text("kind") {
                case "text": known.texts[index, default: []] += partial.contents("text") ?? []
                case "tool":
                    let status = partial.frame("tool")?.text("status")
                    if !["completed", "failed", "incomplete"].contains(status) {
                        known.openTools.insert(index)
                    }
                default: break
                }
            }
            if let complete = response.frame("complete") {
                known.status = complete.text("status")
                try check(complete: complete, known)
            }
            guard shown.updateValue(known, forKey: id) == nil else {
                throw SimulationFault("\(id) stands in a snapshot twice")
            }
        }
    }
}
