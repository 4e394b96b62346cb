/// How a simulator behaves where a request does not say otherwise.
package struct SimulatorOptions: Sendable {
    package var host = "127.0.0.1"
    /// 0 lets the system choose.
    package var port: UInt16 = 0
    /// Fixes every id, jitter and choice; chosen anew at each start when nil.
    package var seed: UInt64?
    /// Deltas a second of scenarios that do not name their own; 0 is flat out.
    package var deltasPerSecond = 50.0
    package var chunking = Chunking.natural
    /// A recorded body, or a directory of them.
    package var replay: String?
    /// Strikes requests that ask for no fault themselves, in the words of a marker.
    package var fault: String?
    /// How long a background response is kept after its end, where the request names no `retain_ms=`.
    package var retention = Duration.seconds(600)
    /// Background responses that may run at once; one more is answered with 429.
    package var maximumBackground = 1000
    /// One request more is answered with 429; without it none is too many.
    package var requestLimit: RequestLimit?
    /// Accepted alone when set; else every key is, and none.
    package var apiKey: String?

    package init() {}
}
