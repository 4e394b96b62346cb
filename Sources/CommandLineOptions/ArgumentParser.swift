/// Reads the arguments of one command, once its subcommand is known.
struct ArgumentParser {
    enum Result {
        case command(ParsedCommand)
        case help
        case version
    }

    let command: Command
    let path: [String]
    private var values: [String: [String]] = [:]
    private var flags: [String: Bool] = [:]
    private var positionals: [String] = []

    init(command: Command, path: [String]) {
        self.command = command
        self.path = path
    }

    mutating func parse(_ arguments: ArraySlice<String>) throws(CommandLineError) -> Result {
        // Help answers even when the rest of the line is wrong: that is when it is needed.
        if asks(arguments, for: ["--help", "-h"]) { return .help }
        if path.count == 1, asks(arguments, for: ["--version", "-V"]) { return .version }
        var rest = arguments
        while let argument = rest.popFirst() {
            if argument == "--" {
                for positional in rest { try addPositional(positional) }
                break
            } else if argument.hasPrefix("--") {
                try takeLong(argument, &rest)
            } else if argument.hasPrefix("-"), argument.count > 1 {
                try takeShort(argument, &rest)
            } else {
                try addPositional(argument)
            }
        }
        try checkRequired()
        return .command(
            ParsedCommand(
                command: command, path: path, positionals: positionals, values: values,
                flags: flags))
    }

    private func asks(_ arguments: ArraySlice<String>, for names: [String]) -> Bool {
        arguments.prefix { $0 != "--" }.contains { names.contains($0) }
    }

    private mutating func takeLong(
        _ argument: String, _ rest: inout ArraySlice<String>
    ) throws(CommandLineError) {
        let parts = argument.dropFirst(2).split(
            separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        let attached = parts.count == 2 ? String(parts[1]) : nil
        if let option = command.option(named: name) {
            return try take(option, attached: attached, &rest)
        }
        if name.hasPrefix("no-"),
            let option = command.option(named: String(name.dropFirst(3))),
            option.kind == .negatableFlag
        {
            guard attached == nil else { throw error(.unexpectedValue(option: "--\(name)")) }
            flags[option.name] = false
            return
        }
        let near = suggestion(for: name, among: command.optionSpellings)
        throw error(.unknownOption("--\(name)", suggestion: near.map { "--\($0)" }))
    }

    private mutating func takeShort(
        _ argument: String, _ rest: inout ArraySlice<String>
    ) throws(CommandLineError) {
        var letters = argument.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = command.option(short: letter) else {
                throw error(.unknownOption("-\(letter)", suggestion: nil))
            }
            if option.kind.takesValue, !letters.isEmpty {
                return try take(option, attached: String(letters), &rest)
            }
            try take(option, attached: nil, &rest)
        }
    }

    private mutating func take(
        _ option: CommandOption, attached: String?, _ rest: inout ArraySlice<String>
    ) throws(CommandLineError) {
        guard option.kind.takesValue else {
            guard attached == nil else {
                throw error(.unexpectedValue(option: option.displayName))
            }
            flags[option.name] = true
            return
        }
        let value: String
        if let attached {
            value = attached
        } else if let next = rest.first, !(next.hasPrefix("--") && next.count > 2) {
            // "--listen --shards 2" is a forgotten value; one that starts so is written with "=".
            value = next
            rest = rest.dropFirst()
        } else {
            throw error(
                .missingValue(option: option.displayName, placeholder: option.placeholder))
        }
        if let expected = option.expectation(violatedBy: value) {
            throw error(
                .invalidValue(option: option.displayName, value: value, expected: expected))
        }
        if option.repeats {
            values[option.name, default: []].append(value)
        } else {
            values[option.name] = [value]
        }
    }

    private mutating func addPositional(_ argument: String) throws(CommandLineError) {
        let takesMore =
            positionals.count < command.positionals.count
            || command.positionals.last?.repeats == true
        guard takesMore else { throw error(.unexpectedArgument(argument)) }
        positionals.append(argument)
    }

    private func checkRequired() throws(CommandLineError) {
        for option in command.options where option.isRequired && values[option.name] == nil {
            throw error(
                .missingOption(option.displayName, placeholder: option.placeholder))
        }
        for (index, positional) in command.positionals.enumerated()
        where index >= positionals.count && !positional.isOptional {
            throw error(.missingPositional(positional.name))
        }
    }

    private func error(_ reason: CommandLineError.Reason) -> CommandLineError {
        CommandLineError(command: path.joined(separator: " "), reason: reason)
    }
}
