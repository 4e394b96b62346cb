/// A recorded response body: its bytes as they are, and where its events end.
package struct RecordedStream: Sendable {
    package let bytes: [UInt8]
    private let ends: [Int]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var ends: [Int] = []
        var isLineEmpty = false
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case 0x0A:
                if isLineEmpty { ends.append(index + 1) }
                isLineEmpty = true
            case 0x0D: break
            default: isLineEmpty = false
            }
        }
        if (ends.last ?? 0) < bytes.count { ends.append(bytes.count) }
        self.ends = ends
    }

    /// Blocks that a blank line ends; comments count too.
    package var count: Int { ends.count }

    /// Appends block `index`.
    package func append(_ index: Int, to out: inout [UInt8]) {
        out.append(contentsOf: block(index))
    }

    private func block(_ index: Int) -> ArraySlice<UInt8> {
        bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
    }

    /// The `response` object of the last event that has one: the answer to who does not stream.
    package var finalResponse: [UInt8]? {
        for index in ends.indices.reversed() {
            for line in block(index).split(separator: 0x0A) {
                let prefix = Array("data:".utf8)
                guard line.starts(with: prefix),
                    let event = try? JSONParser.parse(Array(line.dropFirst(prefix.count))),
                    let response = event["response"]
                else { continue }
                return response.bytes
            }
        }
        return nil
    }
}
