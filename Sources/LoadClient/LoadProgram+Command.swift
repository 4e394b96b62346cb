package import CommandLineOptions

extension LoadProgram {
    /// The command line, from which `--help` is made.
    package static let command = Command(
        "millrace-load",
        summary: "Loads a Millrace gateway over WebSockets and checks every stream.",
        discussion: """
            Runs one scenario: a YAML file, flags over it, or flags alone. While it loads it checks \
            that each stream is complete, in order, without repetition and has the promised hash; \
            one violation fails the run and shows that connection's transcript. Latencies count \
            from the time at which a message was due, so a stalled server cannot hide its own.

            The exit code is 0 when nothing was violated and every threshold held, 1 when not, 2 \
            or 3 when arguments or scenario were refused, 4 when nobody was ever ready, 130 \
            or 143 when SIGINT or SIGTERM interrupted it before any violation. A scenario that sets \
            no bound to totals.errors has one: totals.errors == 0.
            """,
        options: loadOptions + reportOptions + connectionOptions,
        positionals: [
            CommandPositional("SCENARIO", help: "YAML file, see load/scenarios.", isOptional: true)
        ],
        examples: [
            CommandExample(
                "millrace-load load/scenarios/paced-chat.yaml --url ws://127.0.0.1:8080/v1/chat",
                "two hundred people chatting"),
            CommandExample(
                "millrace-load --sessions 50 --duration 30 --input 'deltas=100 rate=50 bytes=20'",
                "no file: flags alone"),
            CommandExample(
                "millrace-load load/scenarios/soak.yaml --set drop.share=0.5 --set 'drop.at_deltas=[5,50]'",
                "any key of the scenario from the command line"),
            CommandExample(
                "millrace-load load/scenarios/flat-out.yaml --json now.json --compare before.json",
                "ratios against an earlier run"),
            CommandExample(
                "millrace-load --protocol openai --url ws://127.0.0.1:8080 --sessions 50",
                "in OpenAI's WebSocket mode, as its SDKs speak it"),
            CommandExample(
                "MILLRACE_LOAD_AUTH=key millrace-load --url wss://chat.example.org/v1/chat --html run.html",
                "a remote gateway, with a page of plots"),
        ])

    private static var loadOptions: [CommandOption] {
        let group = "Load (each is a key of the scenario)"
        return [
            CommandOption(
                "protocol", .text, placeholder: "NAME",
                help: "millrace.v1, or openai for the WebSocket mode of its API.",
                defaultText: "millrace.v1", group: group),
            CommandOption(
                "url", .text, placeholder: "URL",
                help: "ws:// or wss:// address of the gateway; without a path, the protocol's own.",
                defaultText: "ws://127.0.0.1:8080", group: group),
            CommandOption(
                "sessions", .integer(1...200_000), help: "Chats at once.", short: "s",
                defaultText: "10", group: group),
            CommandOption(
                "readers", .integer(1...100), help: "Connections of each session.",
                defaultText: "1", group: group),
            CommandOption(
                "duration", .number(0.1...86_400), placeholder: "SECONDS",
                help: "Measured time, after the ramp.", short: "d", defaultText: "10", group: group),
            CommandOption(
                "ramp", .number(0...86_400), placeholder: "SECONDS",
                help: "Time over which the sessions connect.", defaultText: "1", group: group),
            CommandOption(
                "rate", .number(0...1_000_000), placeholder: "PER_SECOND",
                help: "Open loop: messages a second of all sessions.",
                defaultText: "0, next message after the answer", group: group),
            CommandOption(
                "think", .number(0...86_400_000), placeholder: "MS",
                help: "Pause after an answer, without an open loop.", defaultText: "0",
                group: group),
            CommandOption(
                "model", .text, help: "Model to ask for.", defaultText: "sim-paced", group: group),
            CommandOption(
                "input", .text, help: "Input text; empty holds idle connections.",
                defaultText: "deltas=50 rate=50 bytes=20", group: group),
            CommandOption(
                "seed", .integer(0...Int.max), help: "Seed of everything random.",
                defaultText: "1", group: group),
            CommandOption(
                "set", .text, placeholder: "KEY=VALUE",
                help: "Any key of a scenario; see --list-keys.", repeats: true,
                group: group),
            CommandOption("list-keys", .flag, help: "Prints the keys of a scenario.", group: group),
        ]
    }

    private static var reportOptions: [CommandOption] {
        let group = "Reports"
        return [
            CommandOption(
                "json", .text, placeholder: "FILE", help: "Writes the report as JSON.",
                group: group),
            CommandOption(
                "html", .text, placeholder: "FILE",
                help: "Writes one self-contained page with plots.", group: group),
            CommandOption(
                "compare", .text, placeholder: "FILE",
                help: "Shows ratios against an earlier --json.", group: group),
            CommandOption(
                "server-pid", .integer(1...Int(Int32.max)), placeholder: "PID",
                help: "Measures that process's CPU and memory through /proc.", group: group),
            CommandOption(
                "list-metrics", .flag, help: "Prints the figures that thresholds may name.",
                group: group),
            CommandOption("quiet", .flag, help: "No progress.", short: "q", group: group),
        ]
    }

    private static var connectionOptions: [CommandOption] {
        let group = "Connection"
        return [
            CommandOption(
                "auth-file", .text, placeholder: "FILE",
                help:
                    "File with the key for `hello` or the Authorization header; else MILLRACE_LOAD_AUTH is used.",
                group: group),
            CommandOption(
                "ca-file", .text, placeholder: "FILE",
                help: "Certificates to trust instead of the system's.", group: group),
            CommandOption(
                "insecure", .flag, help: "Does not verify the server's certificate.", group: group),
        ]
    }
}
