import Foundation
import Testing

@testable import GatewayCore

/// Whole sessions under seeded chaos: clients that come, go, stall, repeat and cancel, an upstream that
/// breaks, backpressure, compaction, leaps of time.
///
/// A failing seed is named; `MILLRACE_SIMULATION_SEED=N` plays it alone, and
/// `MILLRACE_SIMULATION_SESSIONS=N` plays so many instead of the usual ones.
@Suite("The core as a whole")
struct SimulationTests {
    private static let only = ProcessInfo.processInfo.environment["MILLRACE_SIMULATION_SEED"]
        .flatMap { UInt64($0) }
    private static let sessions =
        ProcessInfo.processInfo.environment["MILLRACE_SIMULATION_SESSIONS"].flatMap { Int($0) }
        ?? 120

    @Test(
        "every client gets everything exactly once and in order, whatever happens", arguments: 0..<4
    )
    func simulate(part: Int) {
        var counts: [String: Int] = [:]
        for number in 0..<Self.sessions / 4 {
            let seed = Self.only ?? UInt64(part * 1_000_000 + number)
            var session = SimulatedSession(seed: seed)
            do {
                try session.run(steps: 400)
            } catch {
                Issue.record("\(error); MILLRACE_SIMULATION_SEED=\(seed) plays it again")
            }
            counts.merge(session.counts) { $0 + $1 }
            if Self.only != nil { break }
        }
        guard Self.only == nil else { return }
        // A simulation in which something never happens proves nothing about it.
        for what in [
            "connections", "conversations", "completed", "incomplete", "failed", "cancelled",
            "pauses", "snapshots", "merges", "timeouts", "compactions",
        ] {
            #expect(counts[what, default: 0] > Self.sessions / 40, "\(what): \(counts)")
        }
        print(
            "simulated:",
            counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(
                separator: ", "))
    }
}
