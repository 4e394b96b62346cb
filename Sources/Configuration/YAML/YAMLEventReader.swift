import CLibyaml

/// Owns one libyaml parser and the bytes it reads, freed once when this value's life ends.
///
/// libyaml keeps pointers into both, so they live on the heap and never move.
struct YAMLEventReader: ~Copyable {
    /// The events that a configuration may contain.
    enum Event {
        case scalar(YAMLScalar)
        case sequenceStart(line: Int)
        case sequenceEnd
        case mappingStart(line: Int)
        case mappingEnd
        case documentStart(line: Int)
        case documentEnd
        case streamEnd
        case other
    }

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>
    private let isInitialised: Bool

    init(_ bytes: [UInt8]) {
        input = .allocate(capacity: max(1, bytes.count))
        _ = input.initialize(from: bytes)
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        isInitialised = yaml_parser_initialize(parser) == 1
        if isInitialised {
            // UTF-8 only: the bytes of a UTF-16 file would otherwise be believed.
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
        }
    }

    deinit {
        if isInitialised { yaml_parser_delete(parser) }
        parser.deinitialize(count: 1)
        parser.deallocate()
        input.deallocate()
    }

    /// The next event; not to be called again after an error or `streamEnd`.
    mutating func next() throws(YAMLError) -> Event {
        guard isInitialised else { throw YAMLError(line: 0, reason: "out of memory") }
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        let line = Int(event.start_mark.line) + 1
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            try refuse(anchor: scalar.anchor, tag: scalar.tag, line: line)
            return .scalar(
                YAMLScalar(
                    text: String(
                        decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length),
                        as: UTF8.self),
                    isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE, line: line))
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            try refuse(anchor: start.anchor, tag: start.tag, line: line)
            return .sequenceStart(line: line)
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            try refuse(anchor: start.anchor, tag: start.tag, line: line)
            return .mappingStart(line: line)
        case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
        case YAML_MAPPING_END_EVENT: return .mappingEnd
        case YAML_ALIAS_EVENT:
            throw YAMLError(line: line, reason: "aliases (*name) are not taken here")
        case YAML_DOCUMENT_START_EVENT: return .documentStart(line: line)
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        case YAML_STREAM_END_EVENT: return .streamEnd
        default: return .other
        }
    }

    private func refuse(
        anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?,
        line: Int
    ) throws(YAMLError) {
        if anchor != nil {
            throw YAMLError(line: line, reason: "anchors (&name) are not taken here")
        }
        if tag != nil { throw YAMLError(line: line, reason: "tags (!name) are not taken here") }
    }

    private func failure() -> YAMLError {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "cannot be read"
        // A reader error (bad encoding) has an offset but no mark.
        let hasMark =
            parser.pointee.error == YAML_SCANNER_ERROR || parser.pointee.error == YAML_PARSER_ERROR
        let line = hasMark ? Int(parser.pointee.problem_mark.line) + 1 : 0
        return YAMLError(line: line, reason: "not valid YAML: \(problem)")
    }
}
