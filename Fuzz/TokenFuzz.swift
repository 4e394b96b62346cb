// Resume tokens: any bytes give claims or a typed error, and only what was signed is accepted.

import GatewayCore

private let signer: TokenSigner? = {
    let secret = [UInt8](repeating: 7, count: 32)
    return try? TokenSigner(keys: [HMACKey(id: "k1", secret: secret)])
}()

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzToken(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let signer else { preconditionFailure("no signer") }
    if let claims = try? signer.verify(bytes, now: 0) {
        // Accepted without our having signed it: only possible for the one encoding of a token.
        guard let again = try? signer.sign(claims), Array(again.utf8) == bytes else {
            preconditionFailure("accepted another spelling of a token")
        }
    }
    if let claims = try? ResumeClaims.decode(bytes) {
        precondition(claims.encoded(keyID: claims.keyID) == bytes, "claims have two encodings")
        if let token = try? signer.sign(claims), token.utf8.count <= TokenSigner.maximumTokenBytes {
            let back = try? signer.verify(token, now: claims.expiresAt - 1)
            precondition(back?.session == claims.session, "a signed token is refused")
        }
    }
    if let decoded = Base64URL.decode(bytes) {
        precondition(Base64URL.encode(decoded) == bytes, "base64url has two spellings")
    }
    return 0
}
