/// One argument that is known by its place, not by a name.
package struct CommandPositional: Sendable, Equatable {
    /// In capitals, as it stands in the usage line: `FILE`.
    package let name: String
    /// One sentence for `--help`.
    package let help: String
    /// The command runs without it.
    package let isOptional: Bool
    /// Takes all arguments that are left; only the last positional may.
    package let repeats: Bool

    package init(_ name: String, help: String, isOptional: Bool = false, repeats: Bool = false) {
        self.name = name
        self.help = help
        self.isOptional = isOptional
        self.repeats = repeats
    }

    var usage: String {
        let base = repeats ? "\(name)..." : name
        return isOptional ? "[\(base)]" : base
    }
}
