import GatewayCore
import Telemetry

/// The runs that feed a session's responses, and what is known of those that have ended.
///
/// Keeps books only: whoever starts or closes a run may be called back before that returns.
struct SessionRuns {
    /// Few at a time: a list takes less than a table, and is as quick.
    private(set) var all: [UpstreamRun] = []
    /// What became of runs that ended before their response was told to have.
    private var stories: [Int: UpstreamStory] = [:]
    /// Background responses that go on at upstream, whatever becomes of this process.
    private var named: [Int: ResumeClaims.Running] = [:]
    /// Responses that were opened and have not ended.
    private var inFlight: [Int] = []
    /// The upstream that knows the conversation, where upstream keeps it; nil while nobody knows which.
    private(set) var conversationMember: Int?
    private let metrics: GatewayMetrics

    init(metrics: GatewayMetrics, conversationMember: Int?) {
        self.metrics = metrics
        self.conversationMember = conversationMember
    }

    /// The run of a response, as long as it runs.
    subscript(response: Int) -> UpstreamRun? { all.last { $0.response == response } }

    /// Those that go on at upstream, whatever becomes of this process.
    var background: Set<Int> { Set(named.keys) }

    /// The newest of these, by the name that upstream gave it.
    var newestInBackground: ResumeClaims.Running? { named.max { $0.key < $1.key }?.value }

    /// A run is about to start.
    mutating func add(_ run: UpstreamRun) {
        inFlight.append(run.response)
        metrics.responsesInFlight.increment()
        all.append(run)
    }

    /// Upstream has said what it calls a background response.
    mutating func name(_ response: Int, _ name: ResumeClaims.Running) { named[response] = name }

    /// Takes out the run of a response, which is about to be closed.
    mutating func take(_ response: Int) -> UpstreamRun? {
        guard let run = self[response] else { return nil }
        remove(run)
        return run
    }

    private mutating func remove(_ run: UpstreamRun) {
        all.removeAll { $0 === run }
        if all.isEmpty { all = [] }
    }

    /// Keeps what became of a response's run until `finish`.
    mutating func keep(_ story: UpstreamStory?, of response: Int) { stories[response] = story }

    /// A run has ended by itself.
    mutating func ended(_ run: UpstreamRun) {
        if inFlight.contains(run.response) { stories[run.response] = run.story }
        remove(run)
    }

    /// The machine has ended a response: returns what became of its run, and keeps no more of that.
    mutating func finish(_ summary: ResponseSummary) -> UpstreamStory? {
        let response = summary.response
        if let place = inFlight.lastIndex(of: response) {
            inFlight.remove(at: place)
            if inFlight.isEmpty { inFlight = [] }
            metrics.responsesInFlight.decrement()
        }
        let story = self[response]?.story ?? stories[response]
        stories[response] = nil
        named[response] = nil
        if summary.outcome == .completed || summary.outcome == .incomplete {
            conversationMember = story?.member ?? conversationMember
        }
        return story
    }

    /// The session is over, and its runs are closed.
    mutating func removeAll() {
        for _ in inFlight { metrics.responsesInFlight.decrement() }
        inFlight = []
        all = []
    }
}
