/// The events of a stream as they were sent, so that any of them can be sent again.
package struct EventLog: Sendable {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []

    package init() {}

    /// Whole events in it.
    package var count: Int { ends.count }

    /// Bytes it holds.
    package var byteCount: Int { bytes.count }

    /// Adds the event that `write` appends.
    package mutating func add<Result>(_ write: (inout [UInt8]) -> Result) -> Result {
        let result = write(&bytes)
        if bytes.count > (ends.last ?? 0) { ends.append(bytes.count) }
        return result
    }

    /// Appends event `index`.
    package func append(_ index: Int, to out: inout [UInt8]) {
        out.append(contentsOf: bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]])
    }
}
