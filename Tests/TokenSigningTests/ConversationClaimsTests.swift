import GatewayCore
import Testing

@testable import TokenSigning

@Suite("Resume tokens: where the conversation goes on")
struct ConversationClaimsTests {
    /// Session `s`, epoch `e`, response `r`, no more, as a gateway from before the second version writes it.
    private static let firstVersion: [UInt8] =
        [1, 0, 1, 0x6b, 0, 1, 0x73, 0, 1, 0x65, 0, 0, 0, 1, 0x72, 0, 0, 0, 0, 0, 0]
        + [0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9]
    /// Of the upstream `b`, with the function call `c`.
    private static let rest: [UInt8] = [0, 1, 0x62, 1, 0, 1, 0x63]

    private static func claims(_ place: ConversationPlace?) throws -> ResumeClaims {
        try ResumeClaims(
            session: "s", epoch: "e", subject: "", rights: .all, conversation: place, expiresAt: 9)
    }

    private static func refuses(_ bytes: [UInt8]) -> Bool {
        do {
            _ = try ResumeClaims.decode(bytes)
            return false
        } catch {
            return error == .malformed
        }
    }

    private static func calls(_ count: Int, idBytes: Int) -> [OpenCall] {
        (0..<count).map { number in
            let digits = String(number)
            let padding = String(repeating: "c", count: idBytes - digits.utf8.count)
            return OpenCall(number.isMultiple(of: 2) ? .function : .custom, padding + digits)
        }
    }

    @Test("what the first version can say is read from it, and written in it")
    func firstVersion() throws {
        let place = ConversationPlace(response: "r")
        #expect(try Self.claims(place).encoded(keyID: "k") == Self.firstVersion)
        #expect(try ResumeClaims.decode(Self.firstVersion).conversation == place)
    }

    @Test("upstream and open calls come back as they were")
    func roundTrip() throws {
        let signer = try TokenSigner(keys: [HMACKey(id: "k", secret: [1])])
        let calls = [OpenCall(.function, "call_1"), OpenCall(.custom, "call_é\"")]
        for place in [
            ConversationPlace(response: "r", upstream: "second"),
            ConversationPlace(response: "r", openCalls: calls),
            ConversationPlace(response: "r", upstream: "second", openCalls: calls),
        ] {
            let token = try signer.sign(Self.claims(place))
            #expect(try signer.verify(token, now: 0).conversation == place)
        }
    }

    @Test("the second version is the first and what it adds, to the byte")
    func secondVersion() throws {
        let place = ConversationPlace(
            response: "r", upstream: "b", openCalls: [OpenCall(.function, "c")])
        let bytes = [2] + Self.firstVersion.dropFirst() + Self.rest
        #expect(try Self.claims(place).encoded(keyID: "k") == bytes)
        #expect(try ResumeClaims.decode(bytes).encoded(keyID: "k") == bytes)
        for count in 1..<bytes.count { #expect(Self.refuses(Array(bytes[..<count]))) }
        #expect(Self.refuses(bytes + [0]))
        #expect(Self.refuses(Self.firstVersion + Self.rest), "the first says no more")
    }

    @Test(
        "nothing can be said in two ways",
        arguments: [
            [0, 0, 0],  // Nothing that the first version could not say.
            [0, 1, 0x62, 1, 2, 1, 0x63],  // No kind of call.
            [0, 1, 0x62, 1, 0, 0],  // No id.
            [0, 1, 0xff, 0],  // No UTF-8.
        ] as [[UInt8]])
    func oneSpelling(rest: [UInt8]) {
        #expect(Self.refuses([2] + Self.firstVersion.dropFirst() + rest))
    }

    @Test("an upstream without a response is of no use")
    func noResponse() throws {
        let bytes = try Self.claims(nil).encoded(keyID: "k")
        #expect(Self.refuses([2] + bytes.dropFirst() + Self.rest))
    }

    @Test("calls are named up to the limits, and none of them beyond")
    func limits() throws {
        let most = Self.calls(ConversationPlace.maximumOpenCalls, idBytes: 32)
        let longest = Self.calls(4, idBytes: 255) + [OpenCall(.custom, "1234")]
        for calls in [most, longest] {
            let place = ConversationPlace(response: "r", openCalls: calls)
            #expect(place.openCalls == calls)
            let bytes = try Self.claims(place).encoded(keyID: "k")
            #expect(try ResumeClaims.decode(bytes).conversation?.openCalls == calls)
        }
        for calls in [
            most + [OpenCall(.function, "c")], Self.calls(33, idBytes: 2),
            Self.calls(4, idBytes: 255) + [OpenCall(.custom, "12345")],
            Self.calls(1, idBytes: 256), [OpenCall(.function, "")],
        ] {
            let place = ConversationPlace(response: "r", upstream: "b", openCalls: calls)
            #expect(place.openCalls.isEmpty)
            #expect(place.response == "r" && place.upstream == "b", "the place stays one")
        }
    }

    @Test("bytes that name more calls than the limits are no claims")
    func beyondTheLimits() {
        let call: [UInt8] = [0, 1, 0x63]
        func bytes(_ count: UInt8) -> [UInt8] {
            [2] + Self.firstVersion.dropFirst() + [0, 0, count]
                + (0..<count).flatMap { _ in call }
        }
        #expect(!Self.refuses(bytes(32)))
        #expect(Self.refuses(bytes(33)))
        #expect(Self.refuses(bytes(255)))
    }

    @Test("a token grows by what it says, and not otherwise")
    func length() throws {
        let signer = try TokenSigner(keys: [HMACKey(id: "k1", secret: [1])])
        func length(_ upstream: String?, _ calls: [OpenCall]) throws -> Int {
            let claims = try ResumeClaims(
                session: "s_0123456789abcdefghij", epoch: "e_0123456789ab", subject: "web",
                rights: .all,
                conversation: ConversationPlace(
                    response: "resp_" + String(repeating: "0", count: 48), upstream: upstream,
                    openCalls: calls), expiresAt: 1_800_000_000)
            return try signer.sign(claims).utf8.count
        }
        let bare = try length(nil, [])
        #expect(bare < 220)
        #expect(try length("primary", []) - bare <= 14)
        #expect(try length(nil, Self.calls(1, idBytes: 29)) - bare <= 48)
        #expect(try length("primary", Self.calls(32, idBytes: 32)) - bare <= 1470)
    }
}
