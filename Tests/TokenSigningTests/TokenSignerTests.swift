import GatewayCore
import Testing

@testable import TokenSigning

@Suite("Resume tokens")
struct TokenSignerTests {
    private let old: HMACKey
    private let new: HMACKey
    private let claims: ResumeClaims
    private let now: Int64 = 1_800_000_000

    init() throws {
        old = try HMACKey(id: "2026-01", secret: [UInt8](repeating: 1, count: 32))
        new = try HMACKey(id: "2026-02", secret: [UInt8](repeating: 2, count: 32))
        claims = try ResumeClaims(
            session: "s_0000abc", epoch: "e_7d", subject: "web", rights: .all,
            conversation: ConversationPlace(response: "resp_123"), expiresAt: now + 60)
    }

    private func failure(_ signer: TokenSigner, _ token: String, now: Int64) -> TokenError? {
        do {
            _ = try signer.verify(token, now: now)
            return nil
        } catch {
            return error
        }
    }

    @Test("what was signed is what is verified")
    func roundTrip() throws {
        let signer = try TokenSigner(keys: [new, old])
        let token = try signer.sign(claims)
        let verified = try signer.verify(token, now: now)
        #expect(verified.keyID == "2026-02")
        #expect(verified.session == "s_0000abc")
        #expect(verified.epoch == "e_7d")
        #expect(verified.subject == "web")
        #expect(verified.rights == .all)
        #expect(verified.conversation == ConversationPlace(response: "resp_123"))
        #expect(verified.expiresAt == now + 60)
        #expect(try signer.sign(claims) == token, "equal claims have equal tokens")
        #expect(token.utf8.count < 160, "\(token.utf8.count) bytes")
        let bare = try ResumeClaims(
            session: "s", epoch: "e", subject: "", rights: .read, expiresAt: 1)
        #expect(try signer.verify(signer.sign(bare), now: 0).conversation == nil)
    }

    @Test("keys rotate: the newest signs, the previous still verifies")
    func rotation() throws {
        let before = try TokenSigner(keys: [old])
        let after = try TokenSigner(keys: [new, old])
        let afterwards = try TokenSigner(keys: [new])
        let token = try before.sign(claims)
        #expect(try after.verify(token, now: now).keyID == "2026-01")
        #expect(failure(afterwards, token, now: now) == .unknownKey)
        #expect(failure(before, try after.sign(claims), now: now) == .unknownKey)
    }

    @Test("a key of the same name with another secret proves nothing")
    func foreignKey() throws {
        let mine = try TokenSigner(keys: [new])
        let impostor = try TokenSigner(keys: [HMACKey(id: new.id, secret: [9, 9, 9])])
        #expect(failure(mine, try impostor.sign(claims), now: now) == .badSignature)
    }

    @Test("a token ends with the second of its expiry")
    func expiry() throws {
        let signer = try TokenSigner(keys: [new])
        let token = try signer.sign(claims)
        #expect(failure(signer, token, now: now + 59) == nil)
        #expect(failure(signer, token, now: now + 60) == .expired(seconds: 0))
        #expect(failure(signer, token, now: now + 100) == .expired(seconds: 40))
        #expect(failure(signer, token, now: Int64.min) == nil)
        #expect(failure(signer, token, now: Int64.max) == .expired(seconds: Int64.max - now - 60))
    }

    @Test("no byte of a token can be changed, added or removed")
    func everyByte() throws {
        let signer = try TokenSigner(keys: [new, old])
        let token = Array(try signer.sign(claims).utf8)
        for index in token.indices {
            for bit in 0..<8 {
                var changed = token
                changed[index] ^= 1 << UInt8(bit)
                #expect(throws: TokenError.self) { try signer.verify(changed, now: now) }
            }
            var shorter = token
            shorter.remove(at: index)
            #expect(throws: TokenError.self) { try signer.verify(shorter, now: now) }
            var longer = token
            longer.insert(UInt8(ascii: "A"), at: index)
            #expect(throws: TokenError.self) { try signer.verify(longer, now: now) }
            #expect(throws: TokenError.self) { try signer.verify(Array(token[..<index]), now: now) }
        }
        #expect(throws: TokenError.self) { try signer.verify(token + token, now: now) }
    }

    @Test(
        "what is no token is malformed",
        arguments: [
            "", ".", "..", "a.b", "AQ.", ".AQ", "AQ.AQ", "Zm9v.Zm9v.Zm9v", "\u{0}", "é.é",
            String(repeating: "A", count: 2048), String(repeating: "A", count: 1_000_000),
            String(repeating: ".", count: 2000),
        ])
    func malformed(token: String) throws {
        let signer = try TokenSigner(keys: [new])
        #expect(failure(signer, token, now: now) == .malformed)
    }

    @Test("another version is told from garbage")
    func version() throws {
        let signer = try TokenSigner(keys: [new])
        var bytes = claims.encoded(keyID: new.id)
        bytes[0] = 3
        let body = Base64URL.encode(bytes)
        let token = body + [UInt8(ascii: ".")] + Base64URL.encode(try new.authenticate(body))
        #expect(
            failure(signer, String(decoding: token, as: UTF8.self), now: now) == .wrongVersion(3))
    }

    @Test("claims read back only as they were written")
    func claimsCodec() throws {
        let bytes = claims.encoded(keyID: "k")
        #expect(try ResumeClaims.decode(bytes).encoded(keyID: "k") == bytes)
        for count in bytes.indices {
            #expect(throws: ResumeClaims.DecodingFailure.malformed) {
                try ResumeClaims.decode(Array(bytes[..<count]))
            }
        }
        #expect(throws: ResumeClaims.DecodingFailure.malformed) {
            try ResumeClaims.decode(bytes + [0])
        }
        // Invalid UTF-8, an empty session, an expiry above Int64.max.
        var broken = bytes
        broken[3] = 0xff
        #expect(throws: ResumeClaims.DecodingFailure.malformed) { try ResumeClaims.decode(broken) }
        let empty: [UInt8] = [1] + [UInt8](repeating: 0, count: 10 + 4 + 8)
        #expect(throws: ResumeClaims.DecodingFailure.malformed) { try ResumeClaims.decode(empty) }
        var late = bytes
        late[late.count - 8] = 0x80
        #expect(throws: ResumeClaims.DecodingFailure.malformed) { try ResumeClaims.decode(late) }
    }

    @Test("claims above their limits cannot be made")
    func claimLimits() throws {
        let long = String(repeating: "r", count: ResumeClaims.maximumResponseBytes)
        func make(session: String, response: String?) throws(ResumeClaims.Failure) -> ResumeClaims {
            try ResumeClaims(
                session: session, epoch: "e", subject: "x", rights: .all,
                conversation: response.map { ConversationPlace(response: $0) }, expiresAt: 0)
        }
        #expect(throws: ResumeClaims.Failure.fieldLength(name: "session", limitBytes: 128)) {
            try make(session: "", response: nil)
        }
        #expect(
            throws: ResumeClaims.Failure.fieldLength(
                name: "conversation.response", limitBytes: 512)
        ) { try make(session: "s", response: long + "r") }
        let longest = try ResumeClaims(
            session: String(repeating: "s", count: 128), epoch: String(repeating: "e", count: 64),
            subject: String(repeating: "u", count: 128), rights: .all,
            conversation: ConversationPlace(
                response: long, upstream: String(repeating: "p", count: 64),
                openCalls: (0..<32).map {
                    OpenCall(.custom, String(repeating: "c", count: 30) + String($0 + 10))
                }),
            running: ResumeClaims.Running(
                response: long, message: String(repeating: "m", count: 64),
                upstream: String(repeating: "p", count: 64)), expiresAt: Int64.max)
        #expect(longest.conversation?.openCalls.count == 32)
        let signer = try TokenSigner(keys: [
            HMACKey(id: String(repeating: "k", count: 64), secret: [1])
        ])
        let token = try signer.sign(longest)
        #expect(token.utf8.count <= TokenSigner.maximumTokenBytes)
        #expect(try signer.verify(token, now: now).conversation == longest.conversation)
    }

    @Test("keys that make no signer are refused")
    func badKeys() throws {
        #expect(throws: TokenSigner.Failure.noKey) { try TokenSigner(keys: []) }
        #expect(throws: TokenSigner.Failure.repeatedID("2026-02")) {
            try TokenSigner(keys: [new, new])
        }
        let unnamed = try HMACKey(id: "", secret: [1])
        #expect(throws: TokenSigner.Failure.badID("")) { try TokenSigner(keys: [unnamed]) }
        #expect(try HMACKey.ephemeral().id != HMACKey.ephemeral().id)
        var text = ""
        dump(new, to: &text)
        #expect(!text.contains("template"))
    }

    @Test("one signer serves many threads at once")
    func threads() async throws {
        let signer = try TokenSigner(keys: [new, old])
        let token = try signer.sign(claims)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try (0..<500).allSatisfy { _ in
                        try signer.sign(claims) == token
                            && signer.verify(token, now: now).session == claims.session
                    }
                }
            }
            for try await holds in group { #expect(holds) }
        }
    }
}
