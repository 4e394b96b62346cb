/// What a worker has put off until libcurl returns, or until the loop's next turn.
///
/// Every read looks whether there is any. So `isEmpty` is one flag for all lists, and this is a class: as fields of one
/// value they would share its check for exclusive access (decision 57).
final class WorkerChores {
    private var starting: [UpstreamTransfer] = []
    private var resuming: [UpstreamTransfer] = []
    /// Ended inside a callback; libcurl still has their handles.
    private var abandoned: [UpstreamTransfer] = []
    /// To be ended by us, with an outcome.
    private var stopped: [UpstreamTransfer] = []
    /// False when one of the lists may hold something.
    private(set) var isEmpty = true

    var hasStarting: Bool { !starting.isEmpty }
    var hasResuming: Bool { !resuming.isEmpty }
    var abandonedCount: Int { abandoned.count }

    func start(_ transfer: UpstreamTransfer) {
        starting.append(transfer)
        isEmpty = false
    }

    func resume(_ transfer: UpstreamTransfer) {
        resuming.append(transfer)
        isEmpty = false
    }

    func abandon(_ transfer: UpstreamTransfer) {
        abandoned.append(transfer)
        isEmpty = false
    }

    func stop(_ transfer: UpstreamTransfer) {
        stopped.append(transfer)
        isEmpty = false
    }

    func takeStarting() -> [UpstreamTransfer] {
        defer { starting = [] }
        return starting
    }

    func takeResuming() -> [UpstreamTransfer] {
        defer { resuming = [] }
        return resuming
    }

    func takeAbandoned() -> UpstreamTransfer? { abandoned.popLast() }

    func takeStopped() -> UpstreamTransfer? { stopped.popLast() }

    func removeAll() {
        starting = []
        resuming = []
        abandoned = []
        stopped = []
        isEmpty = true
    }

    /// Looks what is left; true when some of it is for the loop's next turn.
    func settle() -> Bool {
        guard !isEmpty else { return false }
        let isForNextTurn = hasStarting || hasResuming
        isEmpty = !isForNextTurn && abandoned.isEmpty && stopped.isEmpty
        return isForNextTurn
    }
}
