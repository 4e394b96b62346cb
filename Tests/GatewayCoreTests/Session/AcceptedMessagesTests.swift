import Testing

@testable import GatewayCore

@Suite("What is remembered of messages")
struct AcceptedMessagesTests {
    private static func message(
        _ number: Int, _ outcome: ResponseOutcome? = nil
    ) -> AcceptedMessage {
        AcceptedMessage(
            response: number, responseID: "r\(number)", sequence: 10 * number,
            inputHash: UInt64(number), outcome: outcome)
    }

    /// As many messages as `count` says, whose responses have ended but for those of `running`.
    private static func remembering(
        _ count: Int, atMost limit: Int, running: Set<Int> = []
    ) -> AcceptedMessages {
        var messages = AcceptedMessages()
        for number in 0..<count {
            messages.remember("m\(number)", message(number), atMost: limit)
            if !running.contains(number) { messages.end("m\(number)", .completed) }
        }
        return messages
    }

    @Test("gives back what it was told, by the message's id")
    func lookUp() {
        let messages = Self.remembering(3, atMost: 10, running: [2])
        #expect(messages.count == 3)
        #expect(messages["m0"] == Self.message(0, .completed))
        #expect(messages["m1"] == Self.message(1, .completed))
        #expect(messages["m2"] == Self.message(2))
        #expect(messages["m3"] == nil)
        #expect(messages["m"] == nil)
        #expect(messages[""] == nil)
    }

    @Test("knows responses by their ids, and tells them from messages")
    func responses() {
        let messages = Self.remembering(3, atMost: 10)
        #expect(messages.hasResponse("r0"))
        #expect(messages.hasResponse("r2"))
        #expect(!messages.hasResponse("r3"))
        #expect(!messages.hasResponse("m0"))
        #expect(messages["r0"] == nil)
    }

    @Test("ids that read the same one behind the other are told apart")
    func neighbours() {
        var messages = AcceptedMessages()
        for (number, ids) in [("a", "bc"), ("ab", "c"), ("abc", "abc")].enumerated() {
            messages.remember(
                ids.0,
                AcceptedMessage(
                    response: number, responseID: ids.1, sequence: 0, inputHash: 1),
                atMost: 10)
        }
        #expect(messages["a"]?.responseID == "bc")
        #expect(messages["ab"]?.responseID == "c")
        #expect(messages["abc"]?.response == 2)
        #expect(messages["b"] == nil)
    }

    @Test("at the limit nothing is forgotten, above it the oldest", arguments: [99, 100, 101])
    func limit(count: Int) {
        let messages = Self.remembering(count, atMost: 100)
        #expect(messages.count == min(count, 100))
        #expect((messages["m0"] == nil) == (count > 100))
        #expect(messages.hasResponse("r0") == (count <= 100))
        for number in max(0, count - 100)..<count {
            #expect(messages["m\(number)"] == Self.message(number, .completed))
        }
    }

    @Test("a message whose response runs is never forgotten, however many come")
    func running() {
        var messages = Self.remembering(50, atMost: 4, running: [0, 7, 8])
        #expect(messages.count == 4)
        #expect(messages["m0"] == Self.message(0))
        #expect(messages["m7"] == Self.message(7))
        #expect(messages["m8"] == Self.message(8))
        #expect(messages["m49"] == Self.message(49, .completed))
        for number in 50..<53 { messages.remember("m\(number)", Self.message(number), atMost: 4) }
        #expect(messages.count == 6, "three of the first and three new ones run")
        messages.end("m7", .cancelled)
        messages.remember("m53", Self.message(53), atMost: 4)
        #expect(messages["m7"] == nil)
        #expect(messages["m8"] == Self.message(8))
    }

    @Test("an id that was forgotten can be taken again")
    func again() {
        var messages = Self.remembering(3, atMost: 2)
        #expect(messages["m0"] == nil)
        messages.remember("m0", Self.message(3), atMost: 2)
        #expect(messages["m0"] == Self.message(3))
        #expect(messages["m1"] == nil)
    }
}
