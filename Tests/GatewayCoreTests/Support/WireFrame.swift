@testable import GatewayCore

/// One line of JSON as a client gets it.
struct WireFrame {
    let bytes: [UInt8]
    private let root: JSONValue

    init(_ bytes: some Sequence<UInt8>) throws {
        let bytes = Array(bytes)
        self.bytes = bytes
        root = try JSONReader(maximumDepth: 128).read(bytes.span)
    }

    /// The lines of a frame.
    static func lines(_ frame: [UInt8]) throws -> [WireFrame] {
        try frame.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { try WireFrame($0) }
    }

    var line: String { String(decoding: bytes, as: UTF8.self) }
    var type: String { text("type") ?? "" }
    var sequence: Int? { integer("seq") }
    /// The first event a merged one stands for.
    var from: Int? { integer("from") ?? sequence }

    /// A member's raw JSON.
    func raw(_ name: String) -> [UInt8]? {
        root.member(name, in: bytes.span).map { Array(bytes[$0.range]) }
    }

    /// A string member's raw contents.
    func contents(_ name: String) -> [UInt8]? {
        root.member(name, in: bytes.span)?.contents.map { Array(bytes[$0]) }
    }

    func text(_ name: String) -> String? {
        root.member(name, in: bytes.span)?.decoded(in: bytes.span)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    func integer(_ name: String) -> Int? {
        root.member(name, in: bytes.span)?.integer(in: bytes.span).map(Int.init)
    }

    func frame(_ name: String) -> WireFrame? { raw(name).flatMap { try? WireFrame($0) } }

    func frames(_ name: String) -> [WireFrame] {
        var found: [WireFrame] = []
        root.member(name, in: bytes.span)?.forEachElement(in: bytes.span) { element in
            if let frame = try? WireFrame(bytes[element.range]) { found.append(frame) }
        }
        return found
    }
}

/// Decodes the raw contents of a JSON string.
func decode(_ raw: [UInt8]) -> [UInt8] { JSONText.decode(raw.span, 0..<raw.count) }
