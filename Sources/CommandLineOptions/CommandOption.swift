/// One long option of a command: its name, what it takes, and its line in `--help`.
///
/// Declared as a value, so that parsing, help text and documentation cannot disagree.
package struct CommandOption: Sendable, Equatable {
    /// What an option takes.
    ///
    /// Values are checked while parsing, before any of them is used.
    package enum Kind: Sendable, Equatable {
        /// `--name`.
        case flag
        /// `--name` and `--no-name`.
        case negatableFlag
        /// Any text, the empty one included.
        case text
        /// A decimal integer within a range, both ends included.
        case integer(ClosedRange<Int>)
        /// A decimal number within a range, both ends included.
        case number(ClosedRange<Double>)
        /// One of a closed list of words.
        case choice([String])
        /// `HOST:PORT`, see `HostPort`.
        case hostPort

        var takesValue: Bool {
            switch self {
            case .flag, .negatableFlag: false
            case .text, .integer, .number, .choice, .hostPort: true
            }
        }
    }

    /// Without the leading `--`.
    package let name: String
    /// The one-letter form without its `-`, where there is one.
    package let short: Character?
    /// What it takes.
    package let kind: Kind
    /// Stands for the value in `--help`, in capitals, such as `FILE`; empty for a flag.
    package let placeholder: String
    /// One or two sentences for `--help`, without the default.
    package let help: String
    /// What holds when the option is absent, as shown in `--help`.
    package let defaultText: String?
    /// Every occurrence counts; otherwise the last one does, as GNU programs have it.
    package let repeats: Bool
    /// The command cannot run without it.
    package let isRequired: Bool
    /// Heading in `--help` under which the option stands; `nil` is "Options".
    package let group: String?

    package init(
        _ name: String, _ kind: Kind, placeholder: String? = nil, help: String,
        short: Character? = nil, defaultText: String? = nil, repeats: Bool = false,
        isRequired: Bool = false, group: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.placeholder = placeholder ?? kind.usualPlaceholder
        self.help = help
        self.short = short
        self.defaultText = defaultText
        self.repeats = repeats
        self.isRequired = isRequired
        self.group = group
    }

    /// Text of the option in a message: `--listen`.
    var displayName: String { "--\(name)" }

    /// Why `value` is not one this option takes; `nil` when it is.
    func expectation(violatedBy value: String) -> String? {
        switch kind {
        case .flag, .negatableFlag, .text: nil
        case .integer(let range):
            if let number = Int(value), range.contains(number) {
                nil
            } else {
                "an integer \(describe(range))"
            }
        case .number(let range):
            if let number = Double(value), number.isFinite, range.contains(number) {
                nil
            } else {
                "a number from \(range.lowerBound) to \(range.upperBound)"
            }
        case .choice(let words):
            words.contains(value) ? nil : "one of \(words.joined(separator: ", "))"
        case .hostPort:
            HostPort(parsing: value) == nil ? HostPort.expectation : nil
        }
    }

    private func describe(_ range: ClosedRange<Int>) -> String {
        switch (range.lowerBound, range.upperBound) {
        case (Int.min, Int.max): "within 64 bits"
        case (let lower, Int.max): "of at least \(lower)"
        case (let lower, let upper): "from \(lower) to \(upper)"
        }
    }
}

extension CommandOption.Kind {
    fileprivate var usualPlaceholder: String {
        switch self {
        case .flag, .negatableFlag: ""
        case .text: "TEXT"
        case .integer, .number: "N"
        case .choice(let words): words.joined(separator: "|")
        case .hostPort: "HOST:PORT"
        }
    }
}
