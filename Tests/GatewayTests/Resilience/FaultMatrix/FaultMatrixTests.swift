import Foundation
import Simulator
import Testing

/// Every fault of the simulator × every place × every policy, over real sockets.
///
/// What is to come of each is `FaultCase`'s table; where the places are, the streams themselves tell.
@Suite("Fault matrix", .serialized, .timeLimit(.minutes(10)))
struct FaultMatrixTests {
    /// Answers that are waited for at the same time.
    private static let atOnce = 16

    /// Attempts that a slow machine loses to a short deadline are made again.
    private static let upstream = [
        "attempts: 20", "reconnects: 100", "line_bytes: 262144", "event_bytes: 262144",
    ]

    @Test(
        "fault × place × policy",
        arguments: FaultPolicy.allCases, FaultCase.World.allCases)
    func matrix(policy: FaultPolicy, kind: FaultCase.World) throws {
        let cases = FaultCase.all.filter { $0.world == kind }
        for cases in kind == .alone ? cases.map({ [$0] }) : [cases] {
            try Self.run(cases, policy, kind)
        }
    }

    private static func run(
        _ cases: [FaultCase], _ policy: FaultPolicy, _ kind: FaultCase.World
    ) throws {
        let simulator = try SimulatorThread()
        defer { simulator.stop() }
        let other = try SimulatorThread()
        defer { other.stop() }
        // There the same model has a name that stands for no fault.
        let fallback =
            "{urls: {second: \"\(other.url)\"}, order: [second], models: {\"second/*\": sim-plain}}"
        let world = try FaultyWorld(
            primary: simulator.url, upstream: upstream + kind.deadlines,
            fallback: policy == .fallback ? fallback : "{}")
        defer { world.stop() }
        let cells = try FaultPlace.allCases.flatMap {
            try makeCells(of: cases, at: $0, under: policy, world, simulator)
        }
        var asked: [String: Int] = [:]
        for start in stride(from: 0, to: cells.count, by: atOnce) {
            let batch = cells[start..<min(start + atOnce, cells.count)]
            let clients = try batch.map { cell in
                let client = try ChatClient(port: world.port)
                cell.ask(client)
                return client
            }
            for (cell, client) in zip(batch, clients) {
                try cell.check(client)
                asked[cell.fault.kind.rawValue, default: 0] += 1
            }
        }
        world.expectNothingLeft()
        if policy == .fallback {
            world.wait(for: "gateway_upstream_in_flight{upstream=\"second\"}", toBe: 0)
        }
        if policy == .background, kind == .patient {
            #expect(world.metric("gateway_upstream_reattached_total") > 100)
        }
        // Whatever was asked for has struck.
        let struck = simulator.statistics["faults"] as? [String: Int] ?? [:]
        for (fault, count) in asked { #expect(struck[fault] ?? 0 >= count, "\(fault)") }
    }

    /// The cells at one place: its positions are found in the stream, and the text in an answer without a fault.
    private static func makeCells(
        of cases: [FaultCase], at place: FaultPlace, under policy: FaultPolicy,
        _ world: FaultyWorld, _ simulator: SimulatorThread
    ) throws -> [FaultCell] {
        let cases = cases.filter { $0.places.contains(place) }
        guard !cases.isEmpty else { return [] }
        let client = try ChatClient(port: world.port)
        FaultCell.askPlainly(client, place, policy)
        #expect(try client.complete("m").status == "completed", "\(client.story)")
        let plain = client.text(of: "m")
        let types = try simulator.eventTypes(place, isBackground: policy == .background)
        let positions = place.positions(in: types)
        #expect(!positions.isEmpty, "\(types)")
        return cases.flatMap { fault in
            positions.map {
                FaultCell(fault: fault, place: place, policy: policy, position: $0, plain: plain)
            }
        }
    }

    @Test("every fault has its expectations, at every place where it can strike")
    func everyFault() {
        for kind in Fault.Kind.allCases {
            let cases = FaultCase.cases(of: kind)
            #expect(cases.allSatisfy { $0.kind == kind } && !cases.isEmpty, "\(kind)")
            let places = Set(cases.flatMap(\.places))
            // Those that strike instead of an answer, before all of it, or at its end only.
            let isBound =
                switch kind {
                case .byteOrderMark, .carriageReturns, .noTerminal, .duplicateTerminal,
                    .afterTerminal, .doneMarker:
                    true
                case _: Fault(Directives("fault=\(kind.rawValue)")).isBeforeBody
                }
            #expect(places.count == (isBound ? 1 : FaultPlace.allCases.count), "\(kind)")
        }
    }
}

extension Fault {
    /// The fault that these directives name.
    fileprivate init(_ directives: Directives) {
        guard let fault = try? Fault(directives, marker: "") else {
            fatalError("no fault: \(directives)")
        }
        self = fault
    }
}

extension SimulatorThread {
    /// The types of the events of an undisturbed answer.
    fileprivate func eventTypes(_ place: FaultPlace, isBackground: Bool) throws -> [String] {
        let tools =
            #","tools":[{"type":"function","name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]"#
        let body =
            #"{"model":"sim-plain","input":"Hi [sim:\#(place.scenario)]","stream":true,"background":\#(isBackground)\#(place == .midTool ? tools : "")}"#
        let socket = try TestSocket(port: port)
        socket.write(
            Array(
                "POST /v1/responses HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                    .utf8))
        return String(decoding: socket.readToEnd(), as: UTF8.self).split(
            whereSeparator: \.isNewline
        )
        .filter { $0.hasPrefix("event: ") }.map { String($0.dropFirst("event: ".count)) }
    }
}
