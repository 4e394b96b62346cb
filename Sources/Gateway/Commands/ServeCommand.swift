import CommandLineOptions
import Configuration
import Telemetry

/// `millrace serve`: runs the gateway until a signal.
enum ServeCommand {
    static let command = Command(
        "serve", summary: "Run the gateway.",
        discussion: """
            Configuration comes from a YAML file, then the environment, then these options; \
            docs/configuration.md lists every key. The first line on standard output says where the \
            gateway listens. SIGTERM drains: running responses finish, then it exits with 0. A second \
            SIGTERM ends it at once.
            """,
        options: ConfigurationSchema.gateway.commandOptions,
        examples: [
            CommandExample(
                "millrace serve --upstream http://127.0.0.1:9090/v1 --web web/dist",
                "Serve the page and talk to a local upstream."),
            CommandExample(
                "OPENAI_API_KEY=… millrace serve --config /etc/millrace.yaml --listen 0.0.0.0:8080",
                "Serve for others, with the key from the environment."),
        ])

    static func run(_ parsed: ParsedCommand) -> ExitCode {
        let loaded: LoadedConfiguration
        do {
            loaded = try ConfigurationLoader.load(parsed)
        } catch {
            StandardStream.error.write("\(error)\n")
            return .configuration
        }
        let logger = Logger(loaded.values.log)
        for warning in loaded.warnings {
            logger.warn("configuration", ["message": .text("\(warning)")])
        }
        do {
            let process = try GatewayProcess(configuration: loaded.values, logger: logger)
            let listen = loaded.values.server.listen
            process.onListening = { port in
                let address = HostPort(host: listen.host, port: port)
                StandardStream.output.write("millrace listening on http://\(address)\n")
                logger.info("listening", ["server.address": .text("\(address)")])
            }
            return process.run() ? .success : .failure
        } catch {
            StandardStream.error.write("millrace: \(error)\n")
            return .failure
        }
    }
}

extension Logger {
    init(_ log: LogConfiguration) {
        let level: LogLevel =
            switch log.level {
            case .debug: .debug
            case .info: .info
            case .warn: .warn
            case .error: .error
            }
        let format: LogFormat =
            switch log.format {
            case .auto: .automatic
            case .json: .json
            case .text: .terminal
            }
        self.init(level: level, format: format)
    }
}
