/// How a program of this package ends; documented in `--help` and docs/operations.md.
package enum ExitCode: Int32, Sendable, CaseIterable {
    /// Done, or drained after a signal.
    case success = 0
    /// The program ran and failed: an address in use, a check that did not hold.
    case failure = 1
    /// The command line was refused; nothing ran.
    case usage = 2
    /// The configuration was refused; nothing ran.
    case configuration = 3
    /// The other side could not be reached (`health`, `millrace-load`).
    case unavailable = 4

    /// One phrase for `--help`.
    package var meaning: String {
        switch self {
        case .success: "success"
        case .failure: "failed while running"
        case .usage: "the command line was refused"
        case .configuration: "the configuration was refused"
        case .unavailable: "the other side could not be reached"
        }
    }
}
