/// Parses any bytes as an event stream, whole and cut: both must give the same.
///
/// The first byte chooses the limits, the second the cuts.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzEvents(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard count >= 2 else { return 0 }
    let body = Array(bytes[2...])
    let line = bytes[0] & 1 == 0 ? 1 << 20 : Int(bytes[0] >> 1)
    let limits = ServerSentEventParser.Limits(
        maximumLineBytes: line, maximumEventBytes: bytes[0] & 2 == 0 ? 1 << 20 : line)
    let whole = parse(body, limits) { _ in body.count }
    var step = UInt64(bytes[1]) | 1
    let cut = parse(body, limits) { _ in
        step = step &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(step >> 60) + 1
    }
    precondition(whole == cut, "the result depends on the cuts")
    precondition(parse(body, limits) { _ in 1 } == whole, "the result depends on single bytes")
    return 0
}

private struct Parsed: Equatable {
    var events: [[UInt8]] = []
    var comments = 0
    var failure: ServerSentEventParser.Failure?
}

private func parse(
    _ body: [UInt8], _ limits: ServerSentEventParser.Limits, _ size: (Int) -> Int
) -> Parsed {
    var parser = ServerSentEventParser(limits: limits)
    var parsed = Parsed()
    var index = 0
    while index < body.count {
        let end = min(body.count, index + size(index))
        do {
            try parser.feed(body.span.extracting(index..<end)) { data, name in
                var event: [UInt8] = []
                event.append(name)
                event.append(0)
                event.append(data)
                parsed.events.append(event)
                precondition(data.count <= limits.maximumEventBytes)
                return parsed.events.count >= 50 ? .stop : .proceed
            }
        } catch {
            parsed.failure = error
        }
        index = end
    }
    parsed.comments = parser.commentCount
    return parsed
}
