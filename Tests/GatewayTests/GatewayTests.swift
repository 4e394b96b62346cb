import Testing

@testable import Gateway

/// Whole conversations inside one process, so that sanitizers see the gateway; Tests/clients has the rest.
@Suite("A gateway in one process", .serialized, .timeLimit(.minutes(10)))
struct GatewayTests {
    @Test("a message streams to its one end", arguments: [1, 2])
    func stream(shards: Int) throws {
        try GatewayFixture.run(shards: shards) { gateway in
            let client = try ChatClient(port: gateway.port)
            client.message("m1", "[sim:paced deltas=300 rate=0]")
            let end = try client.expect("complete", ["message": "m1"])
            #expect(end["status"] as? String == "completed")
            #expect(end["text_bytes"] as? Int == client.text.utf8.count)
        }
    }

    @Test("resuming gives what is missing, from every shard")
    func resume() throws {
        try GatewayFixture.run { gateway in
            let client = try ChatClient(port: gateway.port)
            client.message("m1", "[sim:hello]")
            try client.expect("complete")
            for after in 0..<client.sequence {
                let again = try ChatClient(port: gateway.port, resume: client.token, after: after)
                #expect(again.ready["recovered"] as? Bool == true)
                try again.expect("complete")
                #expect(again.events.count == client.events.count - after)
            }
            let tampered = try ChatClient(port: gateway.port, resume: "AQ.AQ", after: 3)
            #expect(tampered.ready["recovered"] as? Bool == false)
        }
    }

    @Test("a cancel from any connection ends the response for all")
    func cancel() throws {
        try GatewayFixture.run { gateway in
            let client = try ChatClient(port: gateway.port)
            let others = try (0..<6).map { _ in
                try ChatClient(port: gateway.port, resume: client.token)
            }
            for (number, other) in others.enumerated() {
                client.message("m\(number)", "[sim:paced deltas=100000 rate=500]")
                try other.expect("delta")
                other.send(#"{"type":"cancel","message":"m\#(number)"}"#)
                let end = try client.expect("complete", ["message": "m\(number)"])
                #expect(end["status"] as? String == "cancelled")
            }
        }
    }

    @Test("connections on both shards read one session, and come and go")
    func twoShards() throws {
        try GatewayFixture.run { gateway in
            let client = try ChatClient(port: gateway.port)
            var readers = try (0..<8).map { _ in
                try ChatClient(port: gateway.port, resume: client.token)
            }
            client.message("m1", "[sim:paced deltas=2000 rate=0 bytes=50]")
            readers.removeFirst(2)  // They leave while it streams.
            for number in 0..<4 {
                let other = try ChatClient(port: gateway.port)
                other.message("x\(number)", "[sim:hello]")
                try other.expect("complete")
            }
            try client.expect("complete")
            for reader in readers {
                try reader.expect("complete")
                #expect(reader.text == client.text)
            }
        }
    }

    @Test("what upstream breaks is told, and what was answered is summed up")
    func faults() throws {
        let settings = """
            replay: {retention_s: 0, session_retention_s: 1}
            resume: {window_s: 0}
            """
        try GatewayFixture.run(settings) { gateway in
            let client = try ChatClient(port: gateway.port)
            let faults = ["status", "reset after=4", "cut after=4", "truncated-json", "refuse"]
            for (number, fault) in faults.enumerated() {
                client.message("m\(number)", "[sim:paced deltas=20 rate=0 fault=\(fault)]")
                let end = try client.expect("complete", ["message": "m\(number)"])
                #expect(end["status"] as? String == "failed")
            }
            let again = try ChatClient(port: gateway.port, resume: client.token)
            try again.expect("snapshot")
            again.message("last", "[sim:paced deltas=100000 rate=100]")
            try again.expect("delta")
            again.close()
            client.close()
        }
    }

    @Test("a drain lets what runs finish, and then everything is closed")
    func drain() throws {
        try GatewayFixture.run { gateway in
            let client = try ChatClient(port: gateway.port)
            let others = try (0..<6).map { _ in
                try ChatClient(port: gateway.port, resume: client.token)
            }
            let idle = try (0..<4).map { _ in try ChatClient(port: gateway.port) }
            // Long enough for all that is said meanwhile, also under a sanitizer on a busy machine.
            client.message("m1", "[sim:paced deltas=300 rate=100]")
            try client.expect("delta")
            gateway.stopper.drain()
            for each in [client] + others + idle { try each.expect("going_away") }
            client.message("m2", "late")
            try client.expect("error", ["code": "draining"])
            for each in [client] + others {
                let end = try each.expect("complete")
                #expect(end["status"] as? String == "completed")
            }
            for each in [client] + others + idle {
                try each.expectClose()
                #expect(each.closeCode == 1012)
            }
        }
    }

    @Test("a port in use is an error and no crash")
    func portInUse() throws {
        try GatewayFixture.run(shards: 1) { gateway in
            let yaml = "server: {listen: \"127.0.0.1:\(gateway.port)\", shards: 2}"
            let starts = try GatewayFixture.starts(yaml)
            #expect(!starts)
        }
    }
}
