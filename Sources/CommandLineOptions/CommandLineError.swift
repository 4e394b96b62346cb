/// A command line that was refused: which command, what was wrong, what was expected.
///
/// Leads to exit code 2. `description` is one line; `message` adds where to read on.
package struct CommandLineError: Error, Equatable, CustomStringConvertible {
    /// What was wrong.
    package enum Reason: Sendable, Equatable {
        case unknownOption(String, suggestion: String?)
        case missingValue(option: String, placeholder: String)
        case unexpectedValue(option: String)
        case invalidValue(option: String, value: String, expected: String)
        case missingOption(String, placeholder: String)
        case missingCommand([String])
        case unknownCommand(String, suggestion: String?, commands: [String])
        case missingPositional(String)
        case unexpectedArgument(String)
    }

    /// The command whose arguments were read, with its program: `millrace serve`.
    package let command: String
    /// What was wrong.
    package let reason: Reason

    package var description: String { "\(command): \(text)" }

    /// What to print on standard error, ending in a newline.
    package var message: String {
        "\(description)\nTry '\(command) --help' for more information.\n"
    }

    private var text: String {
        switch reason {
        case .unknownOption(let name, let suggestion):
            "unknown option \(quoted(name))" + didYouMean(suggestion)
        case .missingValue(let option, let placeholder):
            "option '\(option)' needs a value: \(option)=\(placeholder)"
        case .unexpectedValue(let option):
            "option '\(option)' is a flag and takes no value"
        case .invalidValue(let option, let value, let expected):
            "option '\(option)': expected \(expected), found \(quoted(value))"
        case .missingOption(let option, let placeholder):
            "option '\(option)' is required: \(option)=\(placeholder)"
        case .missingCommand(let commands):
            "expected a command: \(commands.joined(separator: ", "))"
        case .unknownCommand(let name, let suggestion, let commands):
            "unknown command \(quoted(name))"
                + (suggestion == nil
                    ? "; expected one of \(commands.joined(separator: ", "))"
                    : didYouMean(suggestion))
        case .missingPositional(let name):
            "expected \(name), found no argument"
        case .unexpectedArgument(let argument):
            "unexpected argument \(quoted(argument))"
        }
    }

    private func didYouMean(_ suggestion: String?) -> String {
        suggestion.map { "; did you mean '\($0)'?" } ?? ""
    }
}
