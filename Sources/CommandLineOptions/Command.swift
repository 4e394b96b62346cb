/// A program, or one of its subcommands: a value that parsing and `--help` are derived from.
///
/// `--help` (`-h`) belongs to every command and `--version` to the program, without being declared.
package struct Command: Sendable, Equatable {
    /// The word that selects it; for the program, its name.
    package let name: String
    /// What it does, in one sentence.
    package let summary: String
    /// Paragraphs for `--help`, separated by empty lines.
    package let discussion: String
    /// In the order in which `--help` shows them.
    package let options: [CommandOption]
    /// In their order on the command line.
    package let positionals: [CommandPositional]
    /// Shown at the end of `--help`.
    package let examples: [CommandExample]
    /// A command that has any takes no positionals of its own.
    package let subcommands: [Command]
    /// Left out of the program's list of commands, for maintainers' tools.
    package let isHidden: Bool

    package init(
        _ name: String, summary: String, discussion: String = "", options: [CommandOption] = [],
        positionals: [CommandPositional] = [], examples: [CommandExample] = [],
        subcommands: [Command] = [], isHidden: Bool = false
    ) {
        precondition(subcommands.isEmpty || positionals.isEmpty, "a word would mean two things")
        self.name = name
        self.summary = summary
        self.discussion = discussion
        self.options = options
        self.positionals = positionals
        self.examples = examples
        self.subcommands = subcommands
        self.isHidden = isHidden
    }

    func option(named name: String) -> CommandOption? { options.first { $0.name == name } }

    func option(short: Character) -> CommandOption? { options.first { $0.short == short } }

    func subcommand(named name: String) -> Command? { subcommands.first { $0.name == name } }

    /// Every spelling that parsing takes, for suggestions.
    var optionSpellings: [String] {
        options.flatMap { option in
            option.kind == .negatableFlag ? [option.name, "no-\(option.name)"] : [option.name]
        } + ["help"]
    }
}
