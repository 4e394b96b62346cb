import Testing

/// What is refused is counted, and says which message it was.
@Suite("Refused commands", .serialized, .timeLimit(.minutes(10)))
struct CommandRefusalTests {
    private static func errors(_ code: String) -> String {
        "gateway_errors_total{code=\"\(code)\"}"
    }

    @Test("too many responses")
    func tooManyResponses() throws {
        try GatewayFixture.run("limits: {responses_per_connection: 1}", shards: 1) { gateway in
            let client = try ChatClient(port: gateway.port)
            client.message("run", "[sim:paced deltas=100000 rate=50]")
            try client.expect("delta")
            client.message("more", "Hi")
            let error = try client.expect("error", ["code": "too_many_responses"])
            #expect(error["message_id"] as? String == "more")
            #expect(gateway.metric(Self.errors("too_many_responses")) == 1)
            client.cancel("run")
            #expect(try client.complete("run").status == "cancelled")
        }
    }

    @Test("a conversation that is too large")
    func conversationTooLarge() throws {
        try GatewayFixture.run("conversation: {state: gateway, bytes: 1024}", shards: 1) {
            gateway in
            let client = try ChatClient(port: gateway.port)
            client.message("large", String(repeating: "a", count: 1100))
            let error = try client.expect("error", ["code": "conversation_too_large"])
            #expect(error["message_id"] as? String == "large")
            #expect(gateway.metric(Self.errors("conversation_too_large")) == 1)
        }
    }

    @Test("a frame that comes too soon: each message in it is refused by its id")
    func rateLimited() throws {
        try GatewayFixture.run("limits: {frames_per_s: 1, frames_burst: 2}", shards: 1) { gateway in
            let client = try ChatClient(port: gateway.port)
            client.message("a", "Hi")
            client.send(
                #"{"type":"message","id":"b","input":"Hi"}"# + "\n"
                    + #"{"type":"message","id":"c","input":"Hi"}"#)
            for id in ["b", "c"] {
                let error = try client.expect("error", ["code": "rate_limited"])
                #expect(error["message_id"] as? String == id)
                #expect(error["retry_after_ms"] as? Int ?? 0 > 0)
            }
            #expect(gateway.metric(Self.errors("rate_limited")) == 2)
            #expect(try client.complete("a").status == "completed")
        }
    }

    @Test("plain text after a call that nobody answered goes on with the chat")
    func openCall() throws {
        try GatewayFixture.run("conversation: {state: gateway}", shards: 1) { gateway in
            let client = try ChatClient(port: gateway.port)
            let tools =
                #"{"model":"sim-function","tools":[{"type":"function","name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]}"#
            let call = try client.ask("call", "weather?", options: tools)
            #expect(call.status == "completed")
            #expect(client.events.contains { $0["type"] as? String == "tool" })
            let text = try client.ask("text", "never mind")
            #expect(text.status == "completed", "\(client.story)")
            #expect(try client.ask("more", "and now?").status == "completed")
        }
    }
}
