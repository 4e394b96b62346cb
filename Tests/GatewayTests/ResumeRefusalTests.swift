import Testing

/// Clients that cannot go on with their session, and begin another.
@Suite("Refused resumes", .serialized, .timeLimit(.minutes(10)))
struct ResumeRefusalTests {
    @Test("what waits for the session's shard meanwhile is carried out once")
    func waitingCommands() throws {
        try GatewayFixture.run { gateway in
            // Of two shards for the session and two for the connection all pairs come up.
            for _ in 0..<16 {
                let client = try ChatClient(port: gateway.port)
                let socket = try ChatSocket(port: gateway.port)
                socket.send(
                    #"{"type":"hello","resume":{"token":"\#(client.token)","after":999}}"# + "\n"
                        + #"{"type":"cancel","response":"r_234567abcdefg"}"#)
                var types: [String] = []
                func receive() throws {
                    types.append(try socket.receive()["type"] as? String ?? "")
                }
                while types.last != "error" { try receive() }
                socket.send(#"{"type":"ping","id":"p"}"#)
                while types.last != "pong" { try receive() }
                #expect(types == ["ready", "error", "pong"])
            }
        }
    }
}
