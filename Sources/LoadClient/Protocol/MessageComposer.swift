/// Writes what the client sends in one wire protocol.
protocol MessageComposer: Sendable {
    /// Whether a message may be sent again when nobody knows whether it arrived: its id starts nothing twice.
    var isIdempotent: Bool { get }

    /// What the opening handshake carries besides the URL.
    func upgrade(resuming point: ResumePoint?) -> Handshake.Extras

    /// The first frame, where the protocol has one.
    func hello(resuming point: ResumePoint?) -> [UInt8]?

    /// A message; no other one of the session that is on its way has its `lane`.
    func message(id: String, lane: Int) -> [UInt8]

    /// The cancel of that message.
    func cancel(message id: String, lane: Int) -> [UInt8]
}
