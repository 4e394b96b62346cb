/// The closed set of values that one label of a metric may have.
///
/// Conforming enums have `Int` raw values 0, 1, 2 …, which they get by themselves; the value in
/// the exposition is the case's name in snake case. Ids are never labels.
package protocol MetricLabel: CaseIterable, RawRepresentable<Int>, Sendable {
    /// The label's name.
    static var labelName: String { get }
}

extension MetricLabel {
    /// `clientCancel` becomes `client_cancel`.
    package var labelValue: String {
        "\(self)".reduce(into: "") { text, character in
            text += character.isUppercase ? "_\(character.lowercased())" : String(character)
        }
    }
}

/// One counter for each value of a label; finding one is an array access.
package struct CounterFamily<Label: MetricLabel>: Sendable {
    let counters: [Counter]

    package subscript(_ label: Label) -> Counter { counters[label.rawValue] }
}

/// One counter for each of the texts declared at creation; for what is rare, as it looks one up.
package struct NamedCounterFamily: Sendable {
    /// Stands for every text that was not declared.
    package static let other = "other"
    let counters: [String: Counter]
    let otherCounter: Counter

    package subscript(_ name: String) -> Counter { counters[name] ?? otherCounter }
}
