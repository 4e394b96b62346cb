/// How the end of a request's body is found (RFC 9112, section 6.3).
enum BodyFraming: Equatable {
    case none
    /// So many bytes follow.
    case length(Int)
    case chunks

    /// Refuses what two readers could read in two ways: that is how requests are smuggled past a proxy (section 11.2).
    init(_ fields: HTTPFields, isOld: Bool) throws(RequestFault) {
        let length = fields["content-length"]
        guard fields.count(of: "transfer-encoding") == 0 else {
            guard !isOld, length == nil else {
                throw .invalid("transfer-encoding is for HTTP/1.1, and without content-length")
            }
            let codings = fields.members(of: "transfer-encoding").map { $0.lowercased() }
            guard codings.firstIndex(of: "chunked") == codings.count - 1 else {
                throw .invalid("the last transfer-encoding is chunked, and no other")
            }
            guard codings.count == 1 else { throw .coding }
            self = .chunks
            return
        }
        guard let length else {
            self = .none
            return
        }
        // Two of them are joined by a comma, and so are none.
        guard !length.isEmpty, length.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw .contentLength
        }
        let count = Int(length) ?? .max  // Digits only, be they too many.
        self = count == 0 ? .none : .length(count)
    }
}
