import GatewayCore

/// What a run asks upstreams for: the request as it was given, or one for the rest of an answer that broke off.
struct RunRequest {
    private var whole: UpstreamRequestBody
    private var rest: UpstreamRequestBody?

    init(_ body: UpstreamRequestBody) { whole = body }

    /// What the present attempt asks for.
    var body: UpstreamRequestBody { rest ?? whole }

    /// The first event counts as output: whoever asked waits for nothing else.
    var isShownAtOnce: Bool { whole.isShownAtOnce }

    /// Asks for all of the answer again.
    mutating func beginAfresh() { rest = nil }

    /// Asks for what follows `text`; false when the request has no input to go on from.
    mutating func goOn(from text: [UInt8]) -> Bool {
        guard let rest = whole.goingOn(from: text) else { return false }
        self.rest = rest
        return true
    }

    /// Keeps no more than the name of the model: nothing is asked any more.
    mutating func forget() {
        whole.forget()
        rest?.forget()
    }
}
