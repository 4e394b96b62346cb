/// One chat: its replay log, its responses, its place in the conversation, and who is attached.
///
/// Pure: commands, upstream events and the time go in, log entries and actions come out. The shell that
/// owns it sends what follows each reader's cursor after every call that made the log grow.
///
/// The file holds what concerns connections and time; messages and cancels, upstream events, and
/// snapshots are extensions in files of their own.
package struct SessionMachine {
    /// The session's name.
    package let id: SessionID
    package internal(set) var log: ReplayLog
    private let shared: Shared<SessionSettings>
    let requests: UpstreamRequestBuilder

    @inline(__always)
    var settings: SessionSettings { shared.value }

    /// Responses whose events are in the log, oldest first.
    var responses: [ResponseRecord] = []
    /// Older ones, oldest first.
    var archive: [ArchivedResponse] = []
    var archivedBytes = 0
    /// The lowest cursor of all readers, as last told; `.max` without any.
    private(set) var lowestCursor = Int.max
    /// True when even summaries were dropped.
    var isTruncated = false
    var nextNumber = 0

    /// The messages that came.
    var messages = AcceptedMessages()
    /// Messages that were cancelled before they came, oldest first.
    var cancelledAhead: [String] = []

    /// The last finished response's upstream id, raw JSON.
    var previousResponse: [UInt8]?
    /// The calls of that response, which the next message has to close where it does not answer them.
    var previousOpenCalls: [OpenCall] = []
    /// The conversation's items, raw JSON, when they are kept here.
    var conversation: [[UInt8]] = []
    var conversationBytes = 0
    /// Bytes of the input of running responses that may join the conversation.
    var pendingInputBytes = 0

    /// What only the OpenAI dialect needs.
    var dialect = DialectState()

    /// Every upstream event is an entry of the log, by `upstreamEvent`.
    package var logsEvents: Bool { settings.fidelity == .full }

    /// Attached connections; few, so that a list takes less than a set and is as quick.
    private var attached: [ConnectionID] = []
    /// When the last connection left; nil while one is there.
    private var deserted: Instant?
    /// When a response ended last.
    var lastEnd: Instant?
    /// When the first of those in `responses` ended; nil while all of them run.
    var firstEnd: Instant?
    /// True while upstream is held back because the readers are behind.
    package private(set) var isPaused = false
    private var hasExpired = false
    /// `storedBytes` when `takeStoredBytesChange` was last asked.
    private var toldBytes = 0

    /// Cancels of unknown messages that are remembered.
    static let maximumCancelsAhead = 64

    /// Begins a session with an empty log.
    ///
    /// `continuing` says where its conversation goes on, when a resume token of a session that is lost named that.
    package init(
        id: SessionID, epoch: String, shared: Shared<SessionSettings>,
        requests: UpstreamRequestBuilder, continuing place: ConversationPlace? = nil, now: Instant
    ) {
        self.id = id
        self.shared = shared
        self.requests = requests
        if let place {
            var raw: [UInt8] = []
            raw.append(jsonString: place.response)
            previousResponse = raw
            previousOpenCalls = place.openCalls
        }
        log = ReplayLog(epoch: epoch)
        deserted = now
    }

    /// The same, with settings of its own.
    package init(
        id: SessionID, epoch: String, settings: SessionSettings, requests: UpstreamRequestBuilder,
        continuing place: ConversationPlace? = nil, now: Instant
    ) {
        self.init(
            id: id, epoch: epoch, shared: Shared(settings), requests: requests,
            continuing: place, now: now)
    }

    /// How much more the session holds than when this was last asked; negative for less.
    ///
    /// Asked after every event. Mutating, so that the shell's machine is not copied, with its twenty references,
    /// to compute a property of it (decision 52).
    package mutating func takeStoredBytesChange() -> Int {
        let stored = storedBytes
        defer { toldBytes = stored }
        return stored - toldBytes
    }

    /// Bytes that the session holds.
    package var storedBytes: Int {
        log.storedBytes + archivedBytes + conversationBytes + pendingInputBytes
            + dialect.turnBytes + dialect.runningTurnBytes
            + (dialect.waiting.isEmpty ? 0 : dialect.waitingBytes)
    }

    /// Numbers of the responses that have not ended.
    package var runningResponses: [Int] {
        responses.compactMap { $0.isFinished ? nil : $0.number }
    }

    /// True when some response has not ended.
    package var isRunning: Bool { responses.contains { !$0.isFinished } }

    /// Where the conversation goes on, for the resume token; `upstream` is the name of who has it.
    package func conversationPlace(at upstream: String?) -> ConversationPlace? {
        Self.plain(previousResponse).map {
            ConversationPlace(response: $0, upstream: upstream, openCalls: previousOpenCalls)
        }
    }

    // MARK: Connections

    /// Attached connections.
    package var connections: Set<ConnectionID> { Set(attached) }

    /// Adds a reader.
    ///
    /// Says what it should know besides the log: what running responses wait for.
    package mutating func attach(
        _ connection: ConnectionID, now: Instant, actions: inout [SessionAction]
    ) {
        if !attached.contains(connection) { attached.append(connection) }
        deserted = nil
        guard settings.fidelity == .native else { return }
        for record in responses where !record.isFinished {
            guard let waitingFor = record.waitingFor else { continue }
            actions.append(
                .send(connection, frame: stateFrame(record, waitingFor, now: now)))
        }
    }

    /// Removes a reader; once the last one is gone, running responses go on until the resume window ends.
    package mutating func detach(_ connection: ConnectionID, now: Instant) {
        attached.removeAll { $0 == connection }
        if attached.isEmpty, deserted == nil { deserted = now }
    }

    // MARK: Time

    /// When `tick` has something to do at the earliest; nil while only others' doing can change anything.
    ///
    /// - Invariant: right after a `tick` it lies in the future.
    package var nextDeadline: Instant? {
        guard !hasExpired else { return nil }
        let next = settings.fidelity == .native ? firstEnd : firstGroupEnd
        let compaction = isHeldByReader ? nil : next.map { $0 + settings.retention }
        guard let desertion = abandonment ?? expiry else { return compaction }
        return compaction.map { min($0, desertion) } ?? desertion
    }

    /// When running responses are cancelled unless somebody comes back.
    private var abandonment: Instant? {
        guard let deserted, settings.abandonPolicy == .cancel,
            responses.contains(where: \.isStreaming)
        else { return nil }
        return deserted + settings.resumeWindow
    }

    /// When the session ends unless somebody comes back.
    private var expiry: Instant? {
        guard let deserted, !isRunning else { return nil }
        return max(deserted, lastEnd ?? deserted) + settings.sessionRetention
    }

    /// Does what is due: cancels abandoned responses, compacts old ones, ends the session.
    package mutating func tick(now: Instant, actions: inout [SessionAction]) {
        guard !hasExpired else { return }
        compactDue(now: now)
        if let abandonment, now >= abandonment {
            cancelAll(.abandoned, now: now, actions: &actions)
        } else if let expiry, now >= expiry {
            hasExpired = true
            actions.append(.expire)
        }
    }

    // MARK: Backpressure

    /// Compares the best reader's position with the watermarks.
    ///
    /// `bestCursor` is the highest cursor of all readers. Without any the responses go on under the
    /// policy to proceed, and count as unread from `bestCursor` on under the policy to cancel.
    /// `lowestCursor` is the lowest one, `.max` without readers: no summary above it is forgotten.
    package mutating func updateFlow(
        bestCursor: Int, lowestCursor: Int = .max, actions: inout [SessionAction]
    ) {
        self.lowestCursor = lowestCursor
        let isExempt = attached.isEmpty && settings.abandonPolicy == .proceed
        let unread = isExempt ? 0 : log.bytes(after: bestCursor)
        if isPaused {
            guard unread <= settings.lowWatermarkBytes else { return }
            isPaused = false
            actions.append(.resumeUpstream)
        } else {
            guard unread > settings.highWatermarkBytes, isRunning else { return }
            isPaused = true
            actions.append(.pauseUpstream)
            guard settings.fidelity == .native else { return }
            for record in responses where !record.isFinished {
                actions.append(.broadcast(frame: stateFrame(record, "paused", now: nil)))
            }
        }
    }

    // MARK: Frames

    func stateFrame(
        _ record: ResponseRecord, _ state: String, now: Instant?
    ) -> [UInt8] {
        ServerFrames.frame("state") { frame in
            frame.field("response", record.id)
            frame.field("message", record.messageID)
            frame.field("state", state)
            if let now {
                frame.field("since_ms", Int((now - record.acceptedAt).milliseconds))
                switch record.phase {
                case .queued(let until):
                    frame.field("until_ms", Int(max(.zero, until - now).milliseconds))
                case .retrying(let at, let attempt):
                    frame.field("retry_in_ms", Int(max(.zero, at - now).milliseconds))
                    frame.field("attempt", attempt)
                case .connecting, .waiting, .streaming, .closing, .finished: break
                }
            }
        }
    }

    /// Where the record of a response is; nil when it is archived.
    func recordIndex(_ number: Int) -> Int? {
        // Asked for on every event, nearly always for one of the newest.
        responses.lastIndex { $0.number == number }
    }
}
