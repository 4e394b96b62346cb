/// Reads any bytes as a client's frame: no trap, and what is accepted is within its limits and rewritable.
///
/// The first byte chooses the limits.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzClientFrame(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    var limits = ClientFrameParser.Limits()
    if first & 1 != 0 {
        limits.depth = 4
        limits.inputBytes = 16
        limits.optionsBytes = 32
        limits.credentialBytes = 8
    }
    let allowed: Set<String>? = first & 2 != 0 ? ["model", "tools"] : nil
    let parser = ClientFrameParser(limits: limits, allowedOptions: allowed)
    let frame = Array(bytes[1...])
    var taken = 0
    parser.forEachLine(of: frame.span) { line in
        taken += 1
        do throws(ClientFrameError) {
            check(try parser.parse(line), limits, allowed)
        } catch {
            precondition(!error.message.isEmpty, "a refusal without a word")
            _ = ServerFrames.error(error.code, error.message, messageID: error.messageID)
        }
    }
    precondition(taken > 0, "a frame without an answer")
    return 0
}

private func check(
    _ command: ClientCommand, _ limits: ClientFrameParser.Limits, _ allowed: Set<String>?
) {
    switch command {
    case .hello(let hello):
        precondition(hello.resume.map { $0.after >= 0 } ?? true, "a position before the log")
    case .message(let message):
        precondition((1...64).contains(message.id.utf8.count), "an id that is none")
        precondition(message.input.count <= limits.inputBytes, "too much input")
        precondition(isJSON(message.input), "the input is no JSON")
        for option in message.options {
            precondition(allowed?.contains(option.name) ?? true, "an option that is not allowed")
            precondition(isJSON(option.value), "an option is no JSON")
        }
        let names = Set(message.options.map(\.name))
        precondition(names.count == message.options.count, "an option twice")
        let request = UpstreamRequestBuilder().build(message, kept: [], previousResponse: nil)
        precondition(isJSON(request.bytes), "the request is no JSON")
        let items = UpstreamRequestBuilder.items(of: message.input)
        precondition(items.allSatisfy(isJSON), "an input item is no JSON")
    case .cancel(.message(let id)): precondition((1...64).contains(id.utf8.count))
    case .ping(let id):
        precondition(isJSON(ServerFrames.pong(id: id)), "the pong is no JSON")
    case .cancel(.response), .cancel(.own), .toolOutput: break
    }
}

private func isJSON(_ bytes: [UInt8]) -> Bool {
    (try? JSONReader(maximumDepth: 512).read(bytes.span)) != nil
}
