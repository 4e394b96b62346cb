import Testing

@testable import CommandLineOptions

@Suite("Command line")
struct CommandLineProgramTests {
    static let program = CommandLineProgram(
        Command(
            "mill", summary: "Grinds.",
            subcommands: [
                Command(
                    "serve", summary: "Run the mill.",
                    discussion: "First paragraph.\n\nSecond paragraph.",
                    options: [
                        CommandOption(
                            "listen", .hostPort, help: "Address to listen on.",
                            defaultText: "127.0.0.1:8080"),
                        CommandOption("shards", .integer(1...256), help: "Loops.", short: "n"),
                        CommandOption("rate", .number(0...10), help: "Speed.", group: "Pace"),
                        CommandOption("log", .choice(["json", "text"]), help: "Form."),
                        CommandOption("origin", .text, help: "Who may come.", repeats: true),
                        CommandOption("tls", .negatableFlag, help: "Verify."),
                        CommandOption("verbose", .flag, help: "Say more.", short: "v"),
                    ],
                    positionals: [
                        CommandPositional("FILE", help: "What to grind."),
                        CommandPositional(
                            "MORE", help: "And then.", isOptional: true, repeats: true),
                    ],
                    examples: [CommandExample("mill serve corn", "Grind corn.")]),
                Command(
                    "token", summary: "Make a token.",
                    options: [
                        CommandOption(
                            "session", .text, placeholder: "ID", help: "Whose.", isRequired: true)
                    ]),
                Command("render", summary: "For maintainers.", isHidden: true),
            ]),
        version: "1.2.3")

    private func parse(_ line: String) throws(CommandLineError) -> ParsedCommand? {
        switch try Self.program.parse(line.split(separator: " ").map(String.init)) {
        case .run(let parsed): parsed
        case .print: nil
        }
    }

    private func reason(_ line: String) -> CommandLineError.Reason? {
        do {
            _ = try parse(line)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test("both spellings of a value, in any order with positionals")
    func values() throws {
        let parsed = try #require(
            try parse("serve a --listen=[::1]:0 b --shards 4 --no-tls -v --log json c"))
        #expect(parsed.path == ["mill", "serve"])
        #expect(parsed.name == "serve")
        #expect(parsed.positionals == ["a", "b", "c"])
        #expect(parsed.hostPort("listen") == HostPort(host: "::1", port: 0))
        #expect(parsed.integer("shards") == 4)
        #expect(parsed.flag("tls") == false)
        #expect(parsed.isSet("verbose"))
        #expect(parsed.text("log") == "json")
        #expect(parsed.number("rate") == nil)
    }

    @Test("the last one counts, unless the option repeats")
    func repetition() throws {
        let parsed = try #require(
            try parse("serve x --shards 1 --shards 2 --origin a --origin= --tls --no-tls"))
        #expect(parsed.integer("shards") == 2)
        #expect(parsed.texts("origin") == ["a", ""])
        #expect(parsed.flag("tls") == false)
    }

    @Test("one-letter options: joined, apart, bundled")
    func shortOptions() throws {
        #expect(try parse("serve x -n3")?.integer("shards") == 3)
        #expect(try parse("serve x -n 3")?.integer("shards") == 3)
        #expect(try parse("serve x -vn3")?.integer("shards") == 3)
        #expect(reason("serve x -z") == .unknownOption("-z", suggestion: nil))
    }

    @Test("two dashes end the options")
    func endOfOptions() throws {
        #expect(try parse("serve -- --listen --help")?.positionals == ["--listen", "--help"])
        #expect(try parse("serve -")?.positionals == ["-"])
    }

    @Test(
        "a refusal names the option and what was expected",
        arguments: [
            (
                "serve x --lisen h:1",
                "mill serve: unknown option '--lisen'; did you mean '--listen'?"
            ),
            ("serve x --zzz", "mill serve: unknown option '--zzz'"),
            (
                "serve x --listen",
                "mill serve: option '--listen' needs a value: --listen=HOST:PORT"
            ),
            (
                "serve x --listen --shards 2",
                "mill serve: option '--listen' needs a value: --listen=HOST:PORT"
            ),
            (
                "serve x --shards 300",
                "mill serve: option '--shards': expected an integer from 1 to 256, found '300'"
            ),
            (
                "serve x --shards 99999999999999999999",
                "mill serve: option '--shards': expected an integer from 1 to 256, "
                    + "found '99999999999999999999'"
            ),
            (
                "serve x --rate nan",
                "mill serve: option '--rate': expected a number from 0.0 to 10.0, found 'nan'"
            ),
            (
                "serve x --log xml",
                "mill serve: option '--log': expected one of json, text, found 'xml'"
            ),
            ("serve x --verbose=1", "mill serve: option '--verbose' is a flag and takes no value"),
            ("serve x --no-tls=1", "mill serve: option '--no-tls' is a flag and takes no value"),
            ("serve x --no-verbose", "mill serve: unknown option '--no-verbose'"),
            ("serve", "mill serve: expected FILE, found no argument"),
            ("token", "mill token: option '--session' is required: --session=ID"),
            ("token --session a b", "mill token: unexpected argument 'b'"),
            ("", "mill: expected a command: serve, token"),
            ("serv", "mill: unknown command 'serv'; did you mean 'serve'?"),
            ("grind", "mill: unknown command 'grind'; expected one of serve, token"),
            ("--serve", "mill: unknown option '--serve'"),
        ])
    func refusals(line: String, message: String) {
        do {
            _ = try parse(line)
            Issue.record("accepted: \(line)")
        } catch {
            #expect(
                error.description.hasPrefix(message),
                "\(error.description) does not begin with \(message)")
        }
    }

    @Test("control characters of an argument never reach the terminal")
    func sanitised() {
        #expect(quoted("a\u{1b}[31m\nb") == "'a\\u{1b}[31m\\u{a}b'")
        #expect(quoted(String(repeating: "x", count: 500)).count == 83)
    }

    @Test("help is a text, wherever it is asked for, and even on a wrong line")
    func help() throws {
        let lines = [
            "--help", "-h", "help", "serve --help", "help serve", "serve --shards x -h",
            "--version",
            "-V",
        ]
        for line in lines { #expect(try parse(line) == nil, "\(line)") }
        #expect(
            try Self.program.parse(["serve", "--help"])
                == .print(
                    """
                    Usage: mill serve [OPTION]... FILE [MORE...]
                    Run the mill.

                    First paragraph.

                    Second paragraph.

                    Arguments:
                      FILE                      What to grind.
                      [MORE...]                 And then.

                    Pace:
                      --rate=N                  Speed.

                    Options:
                      --listen=HOST:PORT        Address to listen on. (default: 127.0.0.1:8080)
                      -n, --shards=N            Loops.
                      --log=json|text           Form.
                      --origin=TEXT             Who may come. May be given several times.
                      --[no-]tls                Verify.
                      -v, --verbose             Say more.
                      -h, --help                Show this help and end.

                    Examples:
                      mill serve corn
                          Grind corn.

                    Exit status:
                      0  success
                      1  failed while running
                      2  the command line was refused
                      3  the configuration was refused
                      4  the other side could not be reached

                    """))
        #expect(try Self.program.parse(["--version"]) == .print("mill 1.2.3\n"))
        guard case .print(let text) = try Self.program.parse(["--help"]) else { return }
        #expect(text.contains("  token                     Make a token.\n"))
        #expect(!text.contains("render"), "hidden commands are not listed")
        #expect(try parse("render")?.name == "render")
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test("any garbage is a result or a typed error")
    func garbage() {
        var random = SplitMix(state: 7)
        let words = [
            "serve", "--", "-", "--=", "--listen", "--listen=", "-n", "-nv", "=", "", "--no-", "é",
            "--shards=--", "token", "--session", "\u{0}", "-\u{301}", "help",
        ]
        for _ in 0..<5000 {
            let line = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                words[Int.random(in: 0..<words.count, using: &random)]
            }
            do { _ = try Self.program.parse(line) } catch { #expect(!error.message.isEmpty) }
        }
    }
}

@Suite("HOST:PORT")
struct HostPortTests {
    @Test(
        "accepted texts come back as they were",
        arguments: [
            "127.0.0.1:8080", "localhost:0", "[::1]:65535", "a-b.example:1", "[fe80::1%eth0]:9",
        ]
    )
    func accepted(text: String) throws {
        #expect(try #require(HostPort(parsing: text)).description == text)
    }

    @Test(
        "refused texts",
        arguments: [
            "", ":", ":80", "host", "host:", "host:65536", "host:-1", "host:+1", "host:0x1",
            "::1:80",
            "[]:80", "[::1]", "[::1]80", "[host]:80", "ho st:80", "host:80:", "[::1:80",
            "a\u{0}b:1",
            "http://host:80", "host:000080",
        ])
    func refused(text: String) { #expect(HostPort(parsing: text) == nil) }

    @Test("loopback is told from the rest")
    func loopback() {
        #expect(HostPort(host: "127.9.0.1", port: 1).isLoopback)
        #expect(HostPort(host: "::1", port: 1).isLoopback)
        #expect(HostPort(host: "localhost", port: 1).isLoopback)
        #expect(!HostPort(host: "127.evil.example", port: 1).isLoopback)
        #expect(!HostPort(host: "0.0.0.0", port: 1).isLoopback)
        #expect(!HostPort(host: "::", port: 1).isLoopback)
    }
}

@Suite("Suggestions")
struct SuggestionTests {
    @Test("near names are found, far ones are not")
    func near() {
        #expect(suggestion(for: "lisetn", among: ["shards", "listen"]) == "listen")
        #expect(suggestion(for: "liste", among: ["shards", "listen"]) == "listen")
        #expect(suggestion(for: "port", among: ["shards", "listen"]) == nil)
        #expect(suggestion(for: String(repeating: "a", count: 1000), among: ["a"]) == nil)
        #expect(suggestion(for: "", among: ["a"]) == "a")
    }
}

/// A small seeded generator, so that a failing run repeats.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
