package import CommandLineOptions
import Configuration

/// The `millrace` program: its commands, and what each does.
package enum MillraceProgram {
    /// Runs the command that the process's arguments name, and returns the exit code.
    package static func run() -> ExitCode {
        StandardStream.prepare()
        switch CommandLineProgram(command, version: millraceVersion).parseProcessArguments() {
        case .failure(let exit): return exit.code
        case .success(let parsed):
            switch parsed.path.dropFirst().first {
            case "serve": return ServeCommand.run(parsed)
            case "check-config": return CheckConfigCommand.run(parsed)
            case "health": return HealthCommand.run(parsed)
            case "token": return TokenCommand.run(parsed)
            default: return .usage
            }
        }
    }

    static let command = Command(
        "millrace", summary: "WebSocket streaming gateway to the OpenAI Responses API.",
        subcommands: [
            ServeCommand.command, CheckConfigCommand.command, HealthCommand.command,
            TokenCommand.command,
        ])
}
