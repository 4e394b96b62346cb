/// Changing members of an object without touching the rest of its bytes.
enum JSONSplice {
    /// The object with `values` (raw JSON) for its members of those names; missing ones are added at the end.
    static func replacing(_ object: [UInt8], _ values: [(name: String, value: [UInt8])]) -> [UInt8]
    {
        let bytes = object.span
        var cuts: [(range: Range<Int>, value: [UInt8])] = []
        var missing: [(name: String, value: [UInt8])] = []
        let root = JSONValue(kind: .object, range: 0..<object.count)
        for (name, value) in values {
            if let member = root.member(name, in: bytes) {
                cuts.append((member.range, value))
            } else {
                missing.append((name, value))
            }
        }
        cuts.sort { $0.range.lowerBound < $1.range.lowerBound }
        var output: [UInt8] = []
        output.reserveCapacity(object.count + values.reduce(0) { $0 + $1.value.count + 16 })
        var position = 0
        for cut in cuts {
            output.append(contentsOf: object[position..<cut.range.lowerBound])
            output.append(contentsOf: cut.value)
            position = cut.range.upperBound
        }
        output.append(contentsOf: object[position..<(object.count - 1)])
        for (name, value) in missing {
            output.append(jsonKey: name)
            output.append(contentsOf: value)
        }
        output.append(UInt8(ascii: "}"))
        return output
    }
}
