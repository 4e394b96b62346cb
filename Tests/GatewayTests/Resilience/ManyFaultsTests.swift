import Testing

@Suite("Many faults at once", .serialized, .timeLimit(.minutes(10)))
struct ManyFaultsTests {
    /// Faults that end a connection, each in its own way.
    private static let faults = [
        "refuse", "reset after=3", "close", "drop after=3", "http-garbage", "reset after=0",
        "drop after=0", "cut after=2",
    ]

    @Test(
        "fifty connections that are broken in parallel, again and again, leave a server that serves"
    )
    func parallel() throws {
        try FaultyWorld.run { _, client in
            for round in 0..<15 {
                for index in 0..<50 {
                    let fault = Self.faults[(round + index) % Self.faults.count]
                    client.message("m\(round)-\(index)", "Hi [sim:fault=\(fault)]")
                }
                for index in 0..<50 {
                    let end = try client.complete("m\(round)-\(index)")
                    #expect(end.status == "failed")
                }
            }
            let last = try client.ask("last", "Hi")
            #expect(last.status == "completed")
        }
    }
}
