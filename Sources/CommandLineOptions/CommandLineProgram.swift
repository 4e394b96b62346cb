/// A program's command line: arguments in, parsed values or help text or a typed error out.
///
/// Follows the GNU conventions: `--name VALUE`, `--name=VALUE`, `--flag`, `--no-flag` where
/// declared, one-letter forms where declared, options and positionals in any order, `--` ends the
/// options. Names are not abbreviated. Parsing is pure; `run` is the thin shell around it.
package struct CommandLineProgram: Sendable {
    /// What to do after parsing.
    package enum Outcome: Sendable, Equatable {
        case run(ParsedCommand)
        /// Print this on standard output and end with exit code 0.
        case print(String)
    }

    /// The program itself.
    package let command: Command
    /// Printed by `--version`: `millrace 0.1.0`.
    package let version: String

    package init(_ command: Command, version: String) {
        self.command = command
        self.version = version
    }

    /// Parses `arguments`, which do not contain the program's own name.
    package func parse(_ arguments: [String]) throws(CommandLineError) -> Outcome {
        var arguments = arguments[...]
        var command = self.command
        var path = [command.name]
        if !command.subcommands.isEmpty, arguments.first == "help" {
            arguments = arguments.dropFirst() + ["--help"]
        }
        while !command.subcommands.isEmpty {
            let visible = command.subcommands.filter { !$0.isHidden }.map(\.name)
            guard let word = arguments.popFirst() else {
                throw CommandLineError(
                    command: path.joined(separator: " "), reason: .missingCommand(visible))
            }
            switch word {
            case "--help", "-h": return .print(helpText(for: command, path: path))
            case "--version", "-V": return .print("\(self.command.name) \(version)\n")
            case _ where word.hasPrefix("-") && word != "-":
                throw CommandLineError(
                    command: path.joined(separator: " "),
                    reason: .unknownOption(word, suggestion: nil))
            default: break
            }
            guard let next = command.subcommand(named: word) else {
                throw CommandLineError(
                    command: path.joined(separator: " "),
                    reason: .unknownCommand(
                        word, suggestion: suggestion(for: word, among: visible), commands: visible))
            }
            command = next
            path.append(word)
        }
        var parser = ArgumentParser(command: command, path: path)
        switch try parser.parse(arguments) {
        case .help: return .print(helpText(for: command, path: path))
        case .version: return .print("\(self.command.name) \(version)\n")
        case .command(let parsed): return .run(parsed)
        }
    }

    /// Parses this process's own arguments; for `main`.
    ///
    /// Prints help, version or the error, and returns the exit code when nothing is left to run.
    package func parseProcessArguments() -> Result<ParsedCommand, ExitRequest> {
        do {
            switch try parse(Array(CommandLine.arguments.dropFirst())) {
            case .run(let parsed): return .success(parsed)
            case .print(let text):
                let isWritten = StandardStream.output.write(text)
                return .failure(ExitRequest(code: isWritten ? .success : .failure))
            }
        } catch {
            StandardStream.error.write(error.message)
            return .failure(ExitRequest(code: .usage))
        }
    }
}

/// The program has said all it has to say and ends with `code`.
package struct ExitRequest: Error, Equatable {
    package let code: ExitCode

    package init(code: ExitCode) { self.code = code }
}
