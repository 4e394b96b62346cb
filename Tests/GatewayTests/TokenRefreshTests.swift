import Testing

@testable import Gateway

@Suite("A resume token is followed by a fresh one", .timeLimit(.minutes(5)))
struct TokenRefreshTests {
    @Test(
        "after half its life, between two heartbeats as well",
        arguments: [("/v1/chat", "token"), ("/v1/responses", "gateway.token")])
    func halfItsLife(path: String, type: String) throws {
        // A heartbeat is 25 s: without a time of its own the token would come with the second.
        try GatewayFixture.run("resume: {token_ttl_s: 60, window_s: 60}") { gateway in
            let socket = try ChatSocket(port: gateway.port, path: path)
            defer { socket.close() }
            socket.answersPings = true
            let start = ContinuousClock.now
            if path == "/v1/chat" { socket.send(#"{"type":"hello"}"#) }
            #expect(try socket.receive()["expires_in_s"] as? Int == 60)
            #expect(try socket.receive()["type"] as? String == type)
            #expect(ContinuousClock.now - start < .seconds(45))
        }
    }
}
