/// What a command line said, checked against its declaration.
///
/// Asking for an option that the command does not declare, or as another kind than declared, is a
/// mistake in this program and traps.
package struct ParsedCommand: Sendable, Equatable {
    /// The program's name and the subcommands chosen: `["millrace", "serve"]`.
    package let path: [String]
    /// The arguments that are no options, in order.
    package let positionals: [String]
    private let command: Command
    private let values: [String: [String]]
    private let flags: [String: Bool]

    init(
        command: Command, path: [String], positionals: [String], values: [String: [String]],
        flags: [String: Bool]
    ) {
        self.command = command
        self.path = path
        self.positionals = positionals
        self.values = values
        self.flags = flags
    }

    /// The chosen subcommand's name; the program's own where it has no subcommands.
    package var name: String { command.name }

    /// A flag as given, or `nil` when it was absent.
    package func flag(_ name: String) -> Bool? {
        let option = declared(name)
        precondition(!option.kind.takesValue, "--\(name) takes a value")
        return flags[name]
    }

    /// True when the flag was given and not negated.
    package func isSet(_ name: String) -> Bool { flag(name) ?? false }

    /// The last value given, unchecked beyond its declared kind; `nil` when absent.
    package func text(_ name: String) -> String? { texts(name).last }

    /// Every value given, in order.
    package func texts(_ name: String) -> [String] {
        let option = declared(name)
        precondition(option.kind.takesValue, "--\(name) is a flag")
        return values[name] ?? []
    }

    /// The last value of an `integer` option, within its declared range.
    package func integer(_ name: String) -> Int? { text(name).flatMap { Int($0) } }

    /// The last value of a `number` option, within its declared range.
    package func number(_ name: String) -> Double? { text(name).flatMap { Double($0) } }

    /// The last value of a `hostPort` option.
    package func hostPort(_ name: String) -> HostPort? {
        text(name).flatMap { HostPort(parsing: $0) }
    }

    private func declared(_ name: String) -> CommandOption {
        guard let option = command.option(named: name) else {
            preconditionFailure("'\(command.name)' declares no option --\(name)")
        }
        return option
    }
}
