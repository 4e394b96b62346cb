/// Lays out `--help`: 80 columns, option names in a column of their own.
extension CommandLineProgram {
    /// The help of `command`, reached by `path` (program name first).
    package func helpText(for command: Command, path: [String]) -> String {
        var text = "Usage: \(usage(of: command, path: path))\n"
        text += wrap(command.summary, indent: 0)
        for paragraph in paragraphs(of: command.discussion) {
            text += "\n" + wrap(paragraph, indent: 0)
        }
        let visible = command.subcommands.filter { !$0.isHidden }
        text += section("Commands", visible.map { ($0.name, $0.summary) })
        text += section("Arguments", command.positionals.map { ($0.usage, $0.help) })
        for group in groups(of: command.options) {
            let options = command.options.filter { $0.group == group }
            text += section(group ?? "Options", options.map { (label($0), help($0)) })
        }
        var common = [("-h, --help", "Show this help and end.")]
        if path.count == 1 { common.append(("-V, --version", "Show the version and end.")) }
        let hasPlainGroup = command.options.contains { $0.group == nil }
        text += section(hasPlainGroup ? nil : "Options", common)
        if !command.examples.isEmpty {
            text += "\nExamples:\n"
            for example in command.examples {
                text += "  \(example.line)\n" + wrap(example.explanation, indent: 6)
            }
        }
        let codes = ExitCode.allCases.map { "  \($0.rawValue)  \($0.meaning)\n" }
        text += "\nExit status:\n" + codes.joined()
        if !visible.isEmpty {
            let line = "Try '\(path.joined(separator: " ")) COMMAND --help' for one command."
            text += "\n\(line)\n"
        }
        return text
    }

    private func usage(of command: Command, path: [String]) -> String {
        var words = path
        if !command.options.isEmpty { words.append("[OPTION]...") }
        for option in command.options where option.isRequired {
            words.append("\(option.displayName)=\(option.placeholder)")
        }
        if !command.subcommands.isEmpty { words.append("COMMAND [OPTION]...") }
        words += command.positionals.map(\.usage)
        return words.joined(separator: " ")
    }

    private func groups(of options: [CommandOption]) -> [String?] {
        var seen: [String?] = []
        for option in options where option.group != nil && !seen.contains(option.group) {
            seen.append(option.group)
        }
        // Options without a group come last, together with --help.
        return options.contains { $0.group == nil } ? seen + [nil] : seen
    }

    private func label(_ option: CommandOption) -> String {
        let short = option.short.map { "-\($0), " } ?? ""
        let name = option.kind == .negatableFlag ? "--[no-]\(option.name)" : option.displayName
        return option.kind.takesValue
            ? "\(short)\(name)=\(option.placeholder)" : "\(short)\(name)"
    }

    private func help(_ option: CommandOption) -> String {
        var text = option.help
        if option.repeats { text += " May be given several times." }
        if let value = option.defaultText { text += " (default: \(value))" }
        return text
    }

    /// Without a title the lines continue the section before.
    private func section(_ title: String?, _ lines: [(label: String, help: String)]) -> String {
        guard !lines.isEmpty else { return "" }
        let column = 28
        var text = title.map { "\n\($0):\n" } ?? ""
        for (label, help) in lines {
            let start = "  \(label)"
            let body = wrap(help, indent: column)
            if start.count + 2 > column {
                text += start + "\n" + body
            } else {
                text += start + String(body.dropFirst(start.count))
            }
        }
        return text
    }

    private func paragraphs(of text: String) -> [String] {
        var result: [[Substring]] = [[]]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty { result.append([]) } else { result[result.count - 1].append(line) }
        }
        return result.filter { !$0.isEmpty }.map { $0.joined(separator: " ") }
    }

    private func wrap(_ text: String, indent: Int) -> String {
        let margin = String(repeating: " ", count: indent)
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, indent + line.count + 1 + word.count > 80 {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " \(word)"
        }
        lines.append(line)
        return lines.map { "\(margin)\($0)\n" }.joined()
    }
}
