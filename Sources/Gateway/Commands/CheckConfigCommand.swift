import CommandLineOptions
import Configuration

/// `millrace check-config`: says what the gateway would run with.
enum CheckConfigCommand {
    static let command = Command(
        "check-config", summary: "Check the configuration and print what is in effect.",
        discussion: "Secrets are masked. Exit code 3 when the configuration is refused.",
        options: ConfigurationSchema.gateway.commandOptions,
        examples: [
            CommandExample(
                "millrace check-config --config /etc/millrace.yaml", "Check a file before a deploy."
            )
        ])

    static func run(_ parsed: ParsedCommand) -> ExitCode {
        do {
            let loaded = try ConfigurationLoader.load(parsed)
            let isWritten = StandardStream.output.write(loaded.renderEffective())
            for warning in loaded.warnings {
                StandardStream.error.write("warning: \(warning)\n")
            }
            return isWritten ? .success : .failure
        } catch {
            StandardStream.error.write("\(error)\n")
            return .configuration
        }
    }
}
