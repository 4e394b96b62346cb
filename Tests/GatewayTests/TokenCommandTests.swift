import Configuration
import Testing

@testable import Gateway

@Suite("A fresh key for tokens")
struct TokenCommandTests {
    @Test("is an entry of resume.token_keys, under the id that was asked for or one of its own")
    func isAnEntry() throws {
        let named = try #require(try TokenCommand.freshEntry(id: "2026-11"))
        #expect(TokenKey(parsing: named)?.id == "2026-11")
        #expect(TokenKey(parsing: named)?.bytes.count == 32)
        let other = try #require(try TokenCommand.freshEntry(id: nil))
        #expect(TokenKey(parsing: other)?.id.utf8.count == 8)
        #expect(try TokenCommand.freshEntry(id: "2026-11") != named)
    }

    @Test("is not made under an id that no key can have", arguments: ["", "a:b", "é", "a b"])
    func refusesIDs(id: String) throws {
        #expect(try TokenCommand.freshEntry(id: id) == nil)
    }
}
