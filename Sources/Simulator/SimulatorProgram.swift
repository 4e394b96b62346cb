package import CommandLineOptions
internal import EventLoop
internal import Glibc

/// `millrace-sim` as a program: its command line, its first line of output, its end.
package enum SimulatorProgram {
    package static let version = "0.1.0"

    package static let program = CommandLineProgram(
        Command(
            "millrace-sim",
            summary: "Simulates an OpenAI Responses API server, with recordings and faults.",
            discussion: """
                The model's name chooses what is answered (sim-markdown, sim-paced, sim-reasoning, …; \
                unknown models get Markdown), and markers in the input choose more: \
                [sim:reasoning rate=20], [sim:fault=cut after=5]. All of them stand in \
                docs/simulator.md.

                The first line on standard output says where it listens, once it does.
                """,
            options: [
                CommandOption(
                    "listen", .hostPort, help: "Where to listen; port 0 lets the system choose.",
                    defaultText: "127.0.0.1:8090"),
                CommandOption(
                    "replay", .text, placeholder: "PATH",
                    help: "Answer with this recorded body; a directory's files go by model name."
                ),
                CommandOption(
                    "chunk", .text, placeholder: "N",
                    help: "Cut bodies into HTTP chunks of N bytes, or of random sizes; 0: do not.",
                    defaultText: "0"),
                CommandOption(
                    "seed", .integer(0...Int.max),
                    help: "Fix every id, choice and jitter.", defaultText: "new at each start"),
                CommandOption(
                    "rate", .number(0...1_000_000),
                    help: "Deltas a second, where the request names none; 0 is flat out.",
                    defaultText: "50"),
                CommandOption(
                    "fault", .text, placeholder: "WORDS",
                    help: "Strike requests that name no fault: 'status status=503 p=0.1'."
                ),
                CommandOption(
                    "request-limit", .text, placeholder: "COUNT/SECONDS",
                    help: "Answer so many requests in so many seconds, others with 429."),
                CommandOption(
                    "retention", .number(0...86_400), placeholder: "SECONDS",
                    help: "Keep background responses this long after their end.",
                    defaultText: "600"),
                CommandOption(
                    "api-key", .text, placeholder: "KEY",
                    help: "Accept this key only; otherwise any is accepted, and none."),
            ],
            examples: [
                CommandExample("millrace-sim --listen 127.0.0.1:8090", "answer at a model's pace"),
                CommandExample(
                    "millrace-sim --rate 0 --seed 1", "for tests: at once, always the same"),
                CommandExample(
                    "millrace-sim --replay answer.sse --chunk 7",
                    "send a recorded stream in pieces of 7 bytes"),
            ]),
        version: version)

    /// The options that `parsed` spells; nil with a message where a value is wrong.
    package static func options(_ parsed: ParsedCommand) -> Result<SimulatorOptions, ValueError> {
        var options = SimulatorOptions()
        let address = parsed.hostPort("listen") ?? HostPort(host: "127.0.0.1", port: 8090)
        options.host = address.host
        options.port = address.port
        options.replay = parsed.text("replay")
        options.seed = parsed.integer("seed").map { UInt64($0) }
        options.deltasPerSecond = parsed.number("rate") ?? 50
        if let seconds = parsed.number("retention") { options.retention = .seconds(seconds) }
        options.apiKey = parsed.text("api-key")
        if let text = parsed.text("chunk") {
            guard let chunking = Chunking(text) else {
                return .failure(
                    ValueError(
                        option: "chunk", expected: "a number of bytes or random", value: text))
            }
            options.chunking = chunking
        }
        if let text = parsed.text("fault") {
            do throws(APIError) {
                _ = try Fault(commandLine: text)
            } catch {
                return .failure(
                    ValueError(
                        option: "fault", expected: "a fault and its settings (\(error.message))",
                        value: text))
            }
            options.fault = text
        }
        if let text = parsed.text("request-limit") {
            guard let limit = RequestLimit(text) else {
                return .failure(
                    ValueError(
                        option: "request-limit",
                        expected: "COUNT/SECONDS, at most 1000000/3600", value: text))
            }
            options.requestLimit = limit
        }
        return .success(options)
    }

    /// An option's value that means nothing.
    package struct ValueError: Error, Equatable {
        package let option: String
        package let expected: String
        package let value: String
    }

    /// Parses the process's arguments, serves until SIGTERM or SIGINT, and returns the exit code.
    package static func main() -> Int32 {
        StandardStream.prepare()
        switch program.parseProcessArguments() {
        case .failure(let request): return request.code.rawValue
        case .success(let parsed):
            switch options(parsed) {
            case .failure(let error):
                StandardStream.error.write(
                    "millrace-sim: option '--\(error.option)': expected \(error.expected), found "
                        + "'\(error.value)'\n")
                return ExitCode.usage.rawValue
            case .success(let options): return serve(options).rawValue
            }
        }
    }

    private static func serve(_ options: SimulatorOptions) -> ExitCode {
        raiseDescriptorLimit()
        guard let loop = try? EventLoop() else {
            StandardStream.error.write("millrace-sim: cannot make an event loop\n")
            return .failure
        }
        var simulator: Simulator?
        var watchers: [SignalWatcher] = []
        var code = ExitCode.success
        loop.run(started: {
            do throws(Simulator.Failure) {
                let started = try Simulator(loop: loop, options: options)
                simulator = started
                for number in [SIGTERM, SIGINT] {
                    let watcher = try? SignalWatcher(loop: loop, signal: number) {
                        started.stop()
                        for watcher in watchers { watcher.close() }
                        loop.close()
                    }
                    if let watcher { watchers.append(watcher) }
                }
                let address = HostPort(host: options.host, port: started.port)
                StandardStream.output.write("millrace-sim listening on http://\(address)\n")
            } catch {
                StandardStream.error.write("millrace-sim: \(error.description)\n")
                code = .failure
                loop.close()
            }
        })
        simulator?.finishStopping()
        // Each watcher's action holds the watchers: let go of them here.
        watchers = []
        return loop.destroy() ? code : .failure
    }

    /// A stream is a descriptor: as many as the system allows.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
