/// Reads one YAML document into nodes, within limits; any other input is an error.
///
/// Refused: aliases, anchors, tags, a second document, keys that are not scalars, and whatever is
/// above the limits. Repeated keys are kept: the caller knows their names.
package enum YAMLDocument {
    static let maximumBytes = 1 << 20
    static let maximumDepth = 16
    static let maximumNodes = 20_000

    /// The root node; `nil` when the text holds nothing but comments.
    package static func parse(_ bytes: [UInt8]) throws(YAMLError) -> YAMLNode? {
        guard bytes.count <= maximumBytes else {
            throw YAMLError(
                line: 0, reason: "\(bytes.count) bytes exceed the limit of \(maximumBytes)")
        }
        var builder = YAMLBuilder()
        var reader = YAMLEventReader(bytes)
        while true {
            let event = try reader.next()
            if case .streamEnd = event { return builder.root }
            try builder.take(event)
        }
    }
}

/// Puts events together to nodes, with its own stack: depth never reaches the thread's.
private struct YAMLBuilder {
    private enum Open {
        case sequence([YAMLNode], line: Int)
        case mapping([YAMLNode.Entry], key: YAMLScalar?, line: Int)
    }

    private(set) var root: YAMLNode?
    private var open: [Open] = []
    private var nodes = 0
    private var documents = 0

    mutating func take(_ event: YAMLEventReader.Event) throws(YAMLError) {
        switch event {
        case .scalar(let scalar): try add(.scalar(scalar))
        case .sequenceStart(let line): try begin(.sequence([], line: line), line: line)
        case .mappingStart(let line): try begin(.mapping([], key: nil, line: line), line: line)
        case .sequenceEnd, .mappingEnd:
            switch open.popLast() {
            case .sequence(let nodes, let line): try add(.sequence(nodes, line: line))
            case .mapping(let entries, _, let line): try add(.mapping(entries, line: line))
            case nil: throw YAMLError(line: 0, reason: "not valid YAML: unexpected end")
            }
        case .documentStart(let line):
            documents += 1
            if documents > 1 {
                throw YAMLError(line: line, reason: "expected one document, found another")
            }
        case .documentEnd, .streamEnd, .other: break
        }
    }

    private mutating func begin(_ node: Open, line: Int) throws(YAMLError) {
        guard open.count < YAMLDocument.maximumDepth else {
            throw YAMLError(
                line: line, reason: "nested deeper than \(YAMLDocument.maximumDepth) levels")
        }
        if case .mapping(_, nil, _) = open.last {
            throw YAMLError(line: line, reason: "expected a name as key")
        }
        open.append(node)
    }

    private mutating func add(_ node: YAMLNode) throws(YAMLError) {
        nodes += 1
        guard nodes <= YAMLDocument.maximumNodes else {
            throw YAMLError(
                line: node.line, reason: "more than \(YAMLDocument.maximumNodes) values")
        }
        switch open.popLast() {
        case nil: root = node
        case .sequence(var nodes, let line):
            nodes.append(node)
            open.append(.sequence(nodes, line: line))
        case .mapping(var entries, let key?, let line):
            entries.append(.init(key: key, value: node))
            open.append(.mapping(entries, key: nil, line: line))
        case .mapping(let entries, nil, let line):
            guard case .scalar(let key) = node else {
                throw YAMLError(line: node.line, reason: "expected a name as key")
            }
            open.append(.mapping(entries, key: key, line: line))
        }
    }
}
