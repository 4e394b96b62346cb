import GatewayCore

/// One frame of a client in the WebSocket mode of the OpenAI dialect, understood.
enum DialectFrame {
    case create(DialectRequest)
    case cancel(DialectCancelTarget)
    /// What cannot be done over HTTP, with the answer to it.
    case steer(answer: [UInt8])

    init(parsing bytes: Span<UInt8>, maximumDepth: Int) throws(DialectError) {
        let root: JSONValue
        do throws(JSONSyntaxError) {
            root = try JSONReader(maximumDepth: maximumDepth).read(bytes)
        } catch {
            throw DialectError(400, nil, "We could not parse the JSON of your frame: \(error).")
        }
        let type = root.member("type", in: bytes)
        func isType(_ name: String) -> Bool { type?.equals(name, in: bytes) == true }
        if isType("response.create") {
            self = .create(
                try DialectRequest(parsing: bytes, isFrame: true, maximumDepth: maximumDepth))
        } else if isType("response.cancel") {
            self = .cancel(try Self.target(root, bytes))
        } else if isType("response.steer") {
            self = .steer(answer: Self.steerFailed(root, bytes))
        } else if isType("response.inject") {
            throw DialectError(
                400, "injecting_not_supported",
                "upstream is spoken to over HTTP, which has no response.inject", param: "type")
        } else {
            throw DialectError(
                400, "invalid_value",
                "Invalid type: supported are response.create and response.cancel.", param: "type")
        }
    }

    private static func target(
        _ root: JSONValue, _ bytes: Span<UInt8>
    ) throws(DialectError) -> DialectCancelTarget {
        if let id = root.member("response_id", in: bytes), id.kind == .string {
            // As upstream's ids are kept: without escapes that mean nothing.
            var raw: [UInt8] = []
            raw.append(jsonString: String(decoding: id.decoded(in: bytes) ?? [], as: UTF8.self))
            return .response(raw)
        }
        guard let lane = root.member("stream_id", in: bytes) else { return .everything }
        var raw: [UInt8] = []
        raw.append(bytes, lane.range)
        guard let name = try DialectRequest.lane(lane, raw, bytes) else { return .everything }
        return .lane(name)
    }

    /// The service's own answer to a steer that cannot be.
    private static func steerFailed(_ root: JSONValue, _ bytes: Span<UInt8>) -> [UInt8] {
        ServerFrames.frame("response.steer.failed") { frame in
            frame.append(literal: ",\"error\":{\"type\":\"invalid_request_error\"")
            frame.field("code", "steering_not_supported")
            frame.field("message", "upstream is spoken to over HTTP, which has no steering")
            frame.append(literal: "},\"steer\":{\"previous_response_id\":")
            if let id = root.member("previous_response_id", in: bytes) {
                frame.append(bytes, id.range)
            } else {
                frame.append(literal: "null")
            }
            frame.append(literal: ",\"input\":")
            if let input = root.member("input", in: bytes) {
                frame.append(bytes, input.range)
            } else {
                frame.append(literal: "null")
            }
            frame.append(UInt8(ascii: "}"))
        }
    }

    /// The lane that a frame names, for the answer to one that cannot be taken.
    static func lane(of bytes: Span<UInt8>, maximumDepth: Int) -> [UInt8]? {
        guard let root = try? JSONReader(maximumDepth: maximumDepth).read(bytes),
            let lane = root.member("stream_id", in: bytes), lane.kind == .string,
            lane.range.count <= 1024
        else { return nil }
        var raw: [UInt8] = []
        raw.append(bytes, lane.range)
        return raw
    }
}
