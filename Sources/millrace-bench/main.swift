import GatewayCore
import TokenSigning

// Runs one operation of the hot path COUNT times, for bench/check.py to count instructions and
// allocations of: `millrace-bench OPERATION COUNT`. `append` contains `reduce`, and `render` both.

let names = ["sse", "reduce", "append", "batch", "render", "frame", "resume", "token"]
guard CommandLine.arguments.count == 3, names.contains(CommandLine.arguments[1]),
    let count = Int(CommandLine.arguments[2]), count >= 0
else { preconditionFailure("millrace-bench \(names.joined(separator: "|")) COUNT") }

let response =
    #"{"id":"resp_1","object":"response","status":"in_progress","model":"m","output":[]}"#
let opening = """
    event: response.created
    data: {"type":"response.created","sequence_number":0,"response":\(response)}

    event: response.output_item.added
    data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,\
    "item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}


    """
let delta = Array(
    """
    event: response.output_text.delta
    data: {"type":"response.output_text.delta","sequence_number":7,"item_id":"msg_0123456789abcdef",\
    "output_index":0,"content_index":0,"delta":"twenty bytes of text","logprobs":[]}


    """.utf8)

/// A session with one running response, fed as the gateway feeds it.
struct Stream {
    var parser = ServerSentEventParser(
        limits: .init(maximumLineBytes: 1 << 20, maximumEventBytes: 1 << 20))
    var reducer = ResponsesReducer()
    var machine: SessionMachine
    var actions: [SessionAction] = []
    let now = Instant(nanoseconds: 1)

    init() {
        machine = SessionMachine(
            id: SessionID(node: 0, shard: 0, random: Array(repeating: 7, count: 10)), epoch: "e",
            settings: SessionSettings { _ in Array(repeating: 0x30, count: 64) },
            requests: UpstreamRequestBuilder(), now: now)
        let connection = ConnectionID(shard: 0, counter: 1)
        machine.attach(connection, now: now, actions: &actions)
        _ = machine.receive(
            ClientCommand.Message(id: "m1", input: Array(#""Hi""#.utf8)), from: connection,
            responseID: "r_0123456789abcdef", now: now, actions: &actions)
        feed(Array(opening.utf8))
    }

    mutating func feed(_ bytes: [UInt8], reduces: Bool = true, appends: Bool = true) {
        do {
            try parser.feed(bytes.span) { chunk, start in
                guard reduces else { return start }
                var deltas = DeltaBatch()
                var index = start
                repeat {
                    index = reducer.skim(chunk, from: index, kind: .text, into: &deltas)
                    if appends {
                        machine.upstream(0, deltas, of: chunk, now: now, actions: &actions)
                    }
                } while deltas.isFull
                return index
            } emit: { data, _, lead in
                guard reduces else { return .proceed }
                do throws(ResponsesFailure) {
                    try reducer.reduce(data, lead: lead) { output in
                        guard appends else { return }
                        machine.upstream(0, output, data: data, now: now, actions: &actions)
                    }
                } catch {
                    preconditionFailure("\(error)")
                }
                return .proceed
            }
        } catch {
            preconditionFailure("\(error)")
        }
        actions.removeAll(keepingCapacity: true)
    }
}

var stream = Stream()
var frame: [UInt8] = []
frame.reserveCapacity(1 << 18)

switch CommandLine.arguments[1] {
case "sse": for _ in 0..<count { stream.feed(delta, reduces: false) }
case "reduce": for _ in 0..<count { stream.feed(delta, appends: false) }
case "append": for _ in 0..<count { stream.feed(delta) }
case "batch":
    let chunk = (0..<16).flatMap { _ in delta }
    for _ in 0..<(count / 16) { stream.feed(chunk) }
case "render":
    var cursor = stream.machine.log.lastSequence
    for _ in 0..<count {
        stream.feed(delta)
        frame.removeAll(keepingCapacity: true)
        cursor = stream.machine.log.render(
            after: cursor, into: &frame, maximumBytes: 1 << 16, mergeAfter: 64)
    }
case "frame":
    stream.feed(delta)
    let cursor = stream.machine.log.lastSequence - 1
    for _ in 0..<count {
        frame.removeAll(keepingCapacity: true)
        _ = stream.machine.log.render(
            after: cursor, into: &frame, maximumBytes: 1 << 16, mergeAfter: 64)
    }
case "resume":
    let cursor = stream.machine.log.lastSequence
    for _ in 0..<1000 { stream.feed(delta) }
    for _ in 0..<count {
        frame.removeAll(keepingCapacity: true)
        _ = stream.machine.log.render(
            after: cursor, into: &frame, maximumBytes: 1 << 16, mergeAfter: 64)
    }
default:
    let key = try HMACKey(id: "k", secret: Array(repeating: 9, count: 32))
    let signer = try TokenSigner(keys: [key])
    let token = Array(
        try signer.sign(
            ResumeClaims(
                session: "s_0123456789abcdefghij", epoch: "epoch", subject: "anonymous",
                rights: .all,
                conversation: ConversationPlace(response: "resp_0123456789abcdef0123456789abcdef"),
                expiresAt: 100)
        ).utf8)
    for _ in 0..<count { _ = try signer.verify(token, now: 50) }
}
