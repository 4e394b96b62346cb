/// One node of a YAML document, with the line it begins on.
package indirect enum YAMLNode: Sendable, Equatable {
    case scalar(YAMLScalar)
    case sequence([YAMLNode], line: Int)
    case mapping([Entry], line: Int)

    /// One `key: value` pair; order and repetitions are kept as written.
    package struct Entry: Sendable, Equatable {
        package let key: YAMLScalar
        package let value: YAMLNode
    }

    /// From 1.
    package var line: Int {
        switch self {
        case .scalar(let scalar): scalar.line
        case .sequence(_, let line), .mapping(_, let line): line
        }
    }

    /// What a person would call it in an error message.
    package var kindName: String {
        switch self {
        case .scalar(let scalar): scalar.isNull ? "nothing" : "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}

/// One scalar as written.
package struct YAMLScalar: Sendable, Equatable {
    package let text: String
    /// Written without quotes and not as a block: may be a number, a boolean or nothing.
    package let isPlain: Bool
    /// From 1.
    package let line: Int

    /// `key:`, `key: ~` and `key: null` leave a key unset.
    package var isNull: Bool { isPlain && ["", "~", "null", "Null", "NULL"].contains(text) }
}
