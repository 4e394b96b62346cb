/// Reads any bytes as a client's: the head of a request, a body in chunks, or frames; wherever they are cut, nothing traps
/// and the result is the same.
///
/// The first byte chooses which, and the second where to cut.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzIncoming(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard bytes.count > 2 else { return 0 }
    let input = Array(bytes[2...])
    let piece = max(1, Int(bytes[1]))
    switch bytes[0] % 3 {
    case 0: fuzzHead(input, piece)
    case 1: fuzzChunks(input, piece)
    default: fuzzFrames(input, piece)
    }
    return 0
}

private func pieces(of input: [UInt8], _ length: Int) -> [[UInt8]] {
    stride(from: 0, to: input.count, by: length).map {
        Array(input[$0..<min($0 + length, input.count)])
    }
}

// MARK: Heads

private func fuzzHead(_ input: [UInt8], _ length: Int) {
    let whole = readHead([input])
    let cut = readHead(pieces(of: input, length))
    precondition(whole.bytes == cut.bytes && whole.taken == cut.taken, "a head depends on cuts")
    guard case .whole = whole.end else { return }
    let head = Array(whole.bytes)
    guard let request = try? HTTPRequest(head, remoteAddress: "") else { return }
    precondition(request.path == "*" || request.path.hasPrefix("/"), "a path that is none")
    for name in request.headers.names {
        precondition(name == name.lowercased() && !name.contains(" "), "a name that is none")
        let value = request.headers[name] ?? "\r"
        precondition(!value.utf8.contains { $0 == 10 || $0 == 13 || $0 == 0 }, "a line in a value")
    }
    precondition(request.headers.count(of: "host") <= 1, "two hosts")
    if request.framing != .none {
        let fields = ["content-length", "transfer-encoding"].filter { request.headers[$0] != nil }
        precondition(fields.count == 1, "a body with two ends")
    }
    if request.isUpgrade { _ = OpeningHandshake.fault(of: request, subprotocol: "millrace.v1") }
}

private func readHead(
    _ pieces: [[UInt8]]
) -> (bytes: [UInt8], taken: Int, end: IncomingHead.End?) {
    var head = IncomingHead(limit: 1_024)
    let taken = pieces.reduce(0) { $0 + head.take($1.span) }
    precondition(head.bytes.count <= 1_024, "a head beyond its limit")
    return (head.bytes, taken, head.end)
}

// MARK: Chunks

private func fuzzChunks(_ input: [UInt8], _ length: Int) {
    let whole = readChunks([input])
    let cut = readChunks(pieces(of: input, length))
    precondition(whole.body == cut.body && whole.end == cut.end, "a body depends on cuts")
}

private func readChunks(_ pieces: [[UInt8]]) -> (body: [UInt8], end: ChunkedBody.End?) {
    var chunks = ChunkedBody()
    var body: [UInt8] = []
    for var piece in pieces {
        let size = piece.count
        var span = piece.mutableSpan
        let (count, end) = chunks.take(&span)
        // The end takes a byte, for which the server needs room.
        precondition(end == nil ? count <= size : count < size, "a body longer than its chunks")
        body += piece[..<count]
        if end != nil { return (body, end) }
    }
    return (body, nil)
}

// MARK: Frames

private func fuzzFrames(_ input: [UInt8], _ length: Int) {
    let whole = readFrames([input])
    let cut = readFrames(pieces(of: input, length))
    precondition(whole.pings == cut.pings && whole.failure == cut.failure, "frames depend on cuts")
    // Of a frame whose header turns out wrong, pieces of it may have been handed on already.
    if whole.failure == nil { precondition(whole.seen == cut.seen, "frames depend on cuts") }
}

private func readFrames(
    _ pieces: [[UInt8]]
) -> (seen: [UInt8], pings: [[UInt8]], failure: IncomingFrames.Failure?) {
    var frames = IncomingFrames()
    var seen: [UInt8] = []
    var pings: [[UInt8]] = []
    for var piece in pieces {
        var span = piece.mutableSpan
        let (count, failure) = frames.take(&span) { ping in
            pings.append((0..<ping.count).map { ping[$0] })
        }
        seen += piece[..<count]
        if failure != nil { return (seen, pings, failure) }
    }
    return (seen, pings, nil)
}
