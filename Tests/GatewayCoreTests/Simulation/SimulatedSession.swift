@testable import GatewayCore

/// One session with its clients and its upstream, everything at the mercy of one seed.
///
/// Does what the shell does with the machine's actions, and looks after every step whether what must
/// always hold still holds.
struct SimulatedSession {
    private var random: SeededGenerator
    private var settings: SessionSettings
    private(set) var machine: SessionMachine
    private var now = Instant(nanoseconds: 1_000_000_000)
    private var clients: [SimulatedClient]
    /// The cursor of each connection.
    private var cursors: [Int: Int] = [:]
    private var bestCursor = 0
    private var transfers: [Int: SimulatedTransfer] = [:]
    private var answers: [String: SimulatedAnswer] = [:]
    private var ended: [String: ResponseOutcome] = [:]
    private var messages: [String] = []
    private var connectionCount = 0
    private var hasExpired = false
    /// What was exercised, to see that the simulation is not about nothing.
    private(set) var counts: [String: Int] = [:]

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        var settings = SessionSettings { Array(SHA256.hex($0).utf8) }
        settings.highWatermarkBytes = 300
        settings.lowWatermarkBytes = 100
        settings.retention = .seconds(Int.random(in: 0...60, using: &random))
        settings.resumeWindow = .seconds(20)
        settings.sessionRetention = .seconds(200)
        settings.abandonPolicy = Bool.random(using: &random) ? .cancel : .proceed
        settings.responseBytes = Bool.random(using: &random) ? 100_000 : 4000
        settings.sessionBytes = Bool.random(using: &random) ? 1 << 20 : 8000
        settings.messagesPerSession = 5
        settings.conversation =
            [.upstream, .gateway, .none].randomElement(using: &random) ?? .none
        self.settings = settings
        machine = SessionMachine(
            id: SessionID(node: 0, shard: 0, random: [UInt8](repeating: 1, count: 10)), epoch: "e",
            settings: settings, requests: UpstreamRequestBuilder(), now: now)
        clients = (0..<Int.random(in: 1...3, using: &random)).map { _ in SimulatedClient() }
    }

    private mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    private mutating func count(_ what: String) { counts[what, default: 0] += 1 }

    // MARK: The story

    /// Plays `steps` random steps, then lets everything come to its end.
    mutating func run(steps: Int) throws {
        for _ in 0..<steps where !hasExpired {
            try step()
            try checkInvariants()
        }
        try finish()
    }

    private mutating func step() throws {
        let client = clients.indices.randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<8: try connectOrLeave(client)
        case 8..<18: send(client)
        case 18..<21: cancel(client)
        case 21..<55: try upstream()
        case 55..<85: try deliver()
        case 85..<88: clients[client].isStalled.toggle()
        case 88..<97: try pass(.milliseconds(Int.random(in: 1...3000, using: &random)))
        case 97: try pass(.seconds(Int.random(in: 1...90, using: &random)))
        default:
            if chance(30), machine.compactFinished() { count("compactions") }
            commit([])
        }
    }

    private mutating func connectOrLeave(_ client: Int) throws {
        if clients[client].connection != nil {
            guard chance(40) else { return }
            leave(client)
        } else {
            connectionCount += 1
            // Now and then a device comes that has nothing.
            if chance(10) { clients[client] = SimulatedClient() }
            clients[client].connection = connectionCount
            guard clients[client].after <= machine.log.lastSequence else {
                throw SimulationFault("a position in the future: \(clients[client].after)")
            }
            cursors[connectionCount] = clients[client].after
            count("connections")
            var actions: [SessionAction] = []
            machine.attach(id(connectionCount), now: now, actions: &actions)
            commit(actions)
        }
    }

    private mutating func leave(_ client: Int) {
        guard let connection = clients[client].connection else { return }
        clients[client].disconnect()
        cursors[connection] = nil
        machine.detach(id(connection), now: now)
        commit([])
    }

    private mutating func send(_ client: Int) {
        guard let connection = clients[client].connection else { return }
        let isRepeated = !messages.isEmpty && chance(25)
        let name =
            isRepeated
            ? messages.suffix(4).randomElement(using: &random) ?? "" : "m\(messages.count)"
        let before = machine.log.lastSequence
        let wasKnown = machine.messages[name] != nil
        let response = "r\(machine.nextNumber)"
        var actions: [SessionAction] = []
        _ = machine.receive(
            ClientCommand.Message(id: name, input: Array("\"\(name)\"".utf8)),
            from: id(connection), responseID: response, now: now, actions: &actions)
        if machine.log.lastSequence > before {
            count(wasKnown ? "duplicates" : "conversations")
            answers[response] = SimulatedAnswer(&random)
            if !isRepeated { messages.append(name) }
        }
        commit(actions)
    }

    private mutating func cancel(_ client: Int) {
        guard let connection = clients[client].connection else { return }
        let number = max(0, machine.nextNumber - Int.random(in: 0...2, using: &random))
        let target: ClientCommand.CancelTarget =
            switch Int.random(in: 0..<3, using: &random) {
            case 0: .own
            case 1: .message("m\(number)")
            default: .response("r\(number)")
            }
        var actions: [SessionAction] = []
        machine.cancel(target, from: id(connection), now: now, actions: &actions)
        commit(actions)
    }

    // MARK: Upstream

    private mutating func upstream() throws {
        guard let number = transfers.keys.sorted().randomElement(using: &random),
            var transfer = transfers[number]
        else { return }
        var actions: [SessionAction] = []
        if !transfer.isConnected {
            transfer.isConnected = true
            transfers[number] = transfer
            machine.upstreamConnected(number, now: now, actions: &actions)
            return commit(actions)
        }
        var news: [SimulatedTransfer.News] = []
        let progress = transfer.proceed(now: now, &random) { news.append($0) }
        transfers[number] = transfer
        for piece in news {
            switch piece {
            case .output(let output, let data):
                machine.upstream(number, output, data: data.span, now: now, actions: &actions)
            case .deltas(let deltas, let chunk):
                machine.upstream(number, deltas, of: chunk.span, now: now, actions: &actions)
            }
        }
        switch progress {
        case .nothing, .some: break
        case .ended, .broken:
            fail(number, progress == .ended ? "upstream_truncated" : "broken", &actions)
            transfers[number] = nil
        }
        commit(actions)
    }

    private mutating func fail(_ number: Int, _ code: String, _ actions: inout [SessionAction]) {
        let error = ResponseError(code: code, message: code, isRetryable: true)
        machine.upstreamFailed(number, error, now: now, actions: &actions)
    }

    private mutating func checkDeadlines() throws {
        for number in transfers.keys.sorted() {
            var actions: [SessionAction] = []
            switch transfers[number]?.deadlines.check(now: now) {
            case .wait(let until)?, .notice(let until)?:
                guard until > now else { throw SimulationFault("a deadline in the past") }
            case .expired?:
                count("timeouts")
                fail(number, "upstream_silence_timeout", &actions)
                transfers[number] = nil
            case nil: break
            }
            commit(actions)
        }
    }

    // MARK: Carrying out

    private func id(_ connection: Int) -> ConnectionID {
        ConnectionID(shard: 0, counter: UInt64(connection))
    }

    private mutating func commit(_ first: [SessionAction]) {
        var actions = first
        var next = 0
        while true {
            while next < actions.count {
                carryOut(actions[next], &actions)
                next += 1
            }
            bestCursor = cursors.values.max() ?? bestCursor
            machine.updateFlow(
                bestCursor: bestCursor, lowestCursor: cursors.values.min() ?? .max,
                actions: &actions)
            if next == actions.count { return }
        }
    }

    private mutating func carryOut(_ action: SessionAction, _ actions: inout [SessionAction]) {
        switch action {
        case .openUpstream(let number, let request):
            if (try? WireFrame(request.bytes)) == nil { count("broken requests") }
            guard let answer = answers["r\(number)"] ?? Optional(SimulatedAnswer(&random)) else {
                return
            }
            answers["r\(number)"] = answer
            transfers[number] = SimulatedTransfer(answer, now: now)
        case .closeUpstream(let number):
            transfers[number] = nil
            machine.upstreamClosed(number, now: now, actions: &actions)
        case .pauseUpstream:
            count("pauses")
            for number in transfers.keys where transfers[number]?.isPaused == false {
                transfers[number]?.isPaused = true
                transfers[number]?.deadlines.paused()
            }
        case .resumeUpstream:
            for number in transfers.keys where transfers[number]?.isPaused == true {
                transfers[number]?.isPaused = false
                transfers[number]?.deadlines.resumed(now: now)
            }
        case .send(let connection, let frame):
            let place = clients.firstIndex { $0.connection.map(id) == connection }
            if let place { clients[place].inbox.append(frame) }
        case .broadcast(let frame):
            for place in clients.indices where clients[place].connection != nil {
                clients[place].inbox.append(frame)
            }
        case .responseNamed: count("actions of the OpenAI dialect")
        case .responseEnded(let summary):
            if ended.updateValue(summary.outcome, forKey: summary.id) != nil {
                count("second ends")
            }
            count(summary.outcome.wireName)
        case .expire: hasExpired = true
        }
    }

    /// A socket takes bytes, and its client reads, or does not.
    private mutating func deliver() throws {
        guard let place = clients.indices.randomElement(using: &random) else { return }
        guard clients[place].connection != nil, !clients[place].isStalled else { return }
        try deliver(
            to: place, maximumBytes: chance(20) ? 4000 : Int.random(in: 1...600, using: &random))
    }

    private mutating func deliver(to place: Int, maximumBytes: Int) throws {
        guard let connection = clients[place].connection, var cursor = cursors[connection] else {
            return
        }
        if machine.needsSnapshot(at: cursor) {
            clients[place].inbox.append(machine.snapshotFrame())
            cursor = machine.log.lastSequence
            count("snapshots")
        } else if cursor < machine.log.lastSequence {
            var frame: [UInt8] = []
            let mergeAfter = [0, 3, 1000].randomElement(using: &random) ?? 0
            let next = machine.log.render(
                after: cursor, into: &frame, maximumBytes: maximumBytes, mergeAfter: mergeAfter)
            guard next > cursor else { throw SimulationFault("rendering makes no progress") }
            cursor = next
            clients[place].inbox.append(frame)
        }
        cursors[connection] = cursor
        if chance(85) { try read(place) }
        commit([])
    }

    private mutating func read(_ place: Int) throws {
        let before = clients[place].merged
        try clients[place].read()
        if clients[place].merged > before { count("merges") }
        for (response, shown) in clients[place].shown where shown.status == "completed" {
            guard let answer = answers[response] else { continue }
            guard SimulatedClient.text(of: shown) == answer.text else {
                throw SimulationFault("\(response) shows another text than upstream sent")
            }
        }
    }

    private mutating func pass(_ duration: Duration) throws {
        now = now + duration
        try checkDeadlines()
        var actions: [SessionAction] = []
        machine.tick(now: now, actions: &actions)
        commit(actions)
        var more: [SessionAction] = []
        machine.tick(now: now, actions: &more)
        commit(more)
        if let deadline = machine.nextDeadline, deadline <= now {
            throw SimulationFault("a timer would spin")
        }
    }

    // MARK: What must always hold

    private func checkInvariants() throws {
        let log = machine.log
        let recount = log.segments.reduce(0) { $0 + $1.storedBytes }
        guard log.storedBytes == recount else { throw SimulationFault("the account is wrong") }
        // What is kept is what asking every response would tell.
        let input = machine.responses.reduce(0) { $0 + $1.keptInputBytes }
        guard machine.pendingInputBytes == input else {
            throw SimulationFault("\(machine.pendingInputBytes) bytes of input, not \(input)")
        }
        guard machine.firstEnd == machine.responses.compactMap(\.endedAt).min() else {
            throw SimulationFault("another response ended first")
        }
        guard Set(machine.runningResponses) == Set(transfers.keys) else {
            throw SimulationFault("runs \(transfers.keys), responses \(machine.runningResponses)")
        }
        guard machine.connections == Set(cursors.keys.map(id)) else {
            throw SimulationFault("connections leak")
        }
        // What runs is bounded by its own limit, but for the entry that exceeds it and the end.
        let running = machine.runningResponses.count * (settings.responseBytes + 3000)
        guard log.storedBytes + machine.archivedBytes <= settings.sessionBytes + running else {
            throw SimulationFault("\(log.storedBytes) + \(machine.archivedBytes) bytes")
        }
        guard machine.messages.count <= settings.messagesPerSession + settings.responsesPerSession
        else { throw SimulationFault("message ids leak") }
        for fault in ["duplicates", "second ends", "broken requests"] where counts[fault] != nil {
            throw SimulationFault(fault)
        }
        let isHeld = transfers.values.contains { $0.isPaused }
        if isHeld, log.bytes(after: bestCursor) <= settings.lowWatermarkBytes {
            throw SimulationFault("a transfer is paused though everything is read")
        }
    }

    /// Everybody comes back and reads, upstream comes to its end; then all leave, and it is over.
    private mutating func finish() throws {
        guard !hasExpired else { return try checkInvariants() }
        for place in clients.indices {
            clients[place].isStalled = false
            while clients[place].connection == nil { try connectOrLeave(place) }
        }
        for _ in 0..<3000 where machine.isRunning {
            try upstream()
            for place in clients.indices { try deliver(to: place, maximumBytes: 4000) }
            try pass(.milliseconds(500))
            try checkInvariants()
        }
        guard !machine.isRunning else { throw SimulationFault("a response never ends") }
        for place in clients.indices {
            while let connection = clients[place].connection,
                let cursor = cursors[connection], cursor < machine.log.lastSequence
            {
                try deliver(to: place, maximumBytes: 300)
            }
            try read(place)
            guard clients[place].after == machine.log.lastSequence else {
                throw SimulationFault("client \(place) misses events")
            }
            for (response, shown) in clients[place].shown
            where shown.status != ended[response]?.wireName {
                throw SimulationFault("\(response) is shown as \(shown.status ?? "running")")
            }
        }
        for place in clients.indices { leave(place) }
        try checkInvariants()
        for _ in 0..<100 where !hasExpired {
            guard let deadline = machine.nextDeadline else { break }
            try pass(deadline - now)
        }
        guard hasExpired else { throw SimulationFault("the session never ends") }
        guard machine.log.storedBytes == 0 || settings.retention > .zero else {
            throw SimulationFault("\(machine.log.storedBytes) bytes are left")
        }
        guard transfers.isEmpty, cursors.isEmpty else { throw SimulationFault("leaks at the end") }
    }
}
