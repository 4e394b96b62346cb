import Foundation
import Testing

@testable import Gateway

/// `options.models` over real sockets: what is named, what is taken, what is refused.
@Suite("Models that are offered", .serialized, .timeLimit(.minutes(10)))
struct ModelListTests {
    /// A gateway that offers models, and a simulator, while `body` uses them.
    private static func run(_ options: String, _ body: (UInt16, ChatClient) throws -> Void) throws {
        let simulator = try SimulatorThread()
        defer { simulator.stop() }
        let gateway = try GatewayThread(
            """
            server: {listen: "127.0.0.1:0", shards: 2}
            options: \(options)
            upstream: {base_url: "\(simulator.url)"}
            """)
        try #require(gateway.port != 0, "the gateway did not start")
        do {
            try body(gateway.port, try ChatClient(port: gateway.port))
        } catch {
            Issue.record(error)
        }
        #expect(gateway.stop())
    }

    private static func document(_ port: UInt16, _ path: String) -> [String: Any] {
        let object = try? JSONSerialization.jsonObject(with: Data(httpGet(port, path)))
        return object as? [String: Any] ?? [:]
    }

    @Test("ready names them; one of them is answered, another one is refused, and the chat goes on")
    func choice() throws {
        try Self.run("{models: [sim-hello, sim-echo]}") { port, client in
            let options = client.ready["options"] as? [String: Any]
            #expect(options?["models"] as? [String] == ["sim-hello", "sim-echo"])
            #expect(options?["model"] as? String == "sim-hello")
            // More often than faulty frames would be borne: such a wish is no fault of the frame.
            for number in 0..<30 {
                client.message("x\(number)", "Hi", options: #"{"model":"gpt-\#(number)"}"#)
                let error = try client.expect("error", ["message_id": "x\(number)"])
                #expect(error["code"] as? String == "model_not_allowed")
                #expect(error["retryable"] as? Bool == false)
                let message = error["message"] as? String ?? ""
                #expect(message.contains("gpt-\(number)") && message.contains("options.models"))
            }
            let echo = try client.ask("m1", "Hi", options: #"{"model":"sim-echo"}"#)
            #expect(echo["status"] as? String == "completed")
            let own = try client.ask("m2", "Hi")
            #expect(own["status"] as? String == "completed")
            let models = client.events.filter { $0["type"] as? String == "response" }
                .compactMap { $0["model"] as? String }
            #expect(models.first == "sim-echo")
            #expect(models.contains("sim-hello"))
            #expect(gatewayMetric(#"gateway_messages_total{result="refused"}"#, port) == 30)
            #expect(gatewayMetric(#"gateway_errors_total{code="model_not_allowed"}"#, port) == 30)
        }
    }

    @Test("GET /v1/models says the same, without upstream")
    func list() throws {
        try Self.run("{models: [sim-hello, maker/unknown-upstream]}") { port, _ in
            let data = Self.document(port, "/v1/models")["data"] as? [[String: Any]] ?? []
            #expect(data.map { $0["id"] as? String } == ["sim-hello", "maker/unknown-upstream"])
            let one = Self.document(port, "/v1/models/maker/unknown-upstream")
            #expect(one["id"] as? String == "maker/unknown-upstream")
            let none = Self.document(port, "/v1/models/sim-markdown")["error"] as? [String: Any]
            #expect(none?["code"] as? String == "model_not_found")
        }
    }

    @Test("who may not name a model is not shown a list, and gets the default")
    func withoutChoice() throws {
        try Self.run("{models: [sim-echo, sim-hello], default_model: sim-hello, allow: [text]}") {
            _, client in
            let options = client.ready["options"] as? [String: Any]
            #expect(options?["models"] == nil)
            #expect(options?["model"] as? String == "sim-hello")
            client.message("m1", "Hi", options: #"{"model":"sim-hello"}"#)
            let error = try client.expect("error")
            #expect(error["code"] as? String == "option_not_allowed")
            let end = try client.ask("m2", "Hi")
            #expect(end["status"] as? String == "completed")
        }
    }

    @Test("without a list every model is upstream's to judge")
    func noList() throws {
        try Self.run("{default_model: sim-hello}") { _, client in
            #expect((client.ready["options"] as? [String: Any])?["models"] == nil)
            let end = try client.ask("m1", "Hi", options: #"{"model":"anything"}"#)
            #expect(end["status"] as? String == "completed")
        }
    }
}
