internal import CEpoll
package import CommandLineOptions
internal import Glibc

/// `millrace-load`: reads arguments, runs one scenario, writes the reports.
package enum LoadProgram {
    package static let version = "0.1.0"

    /// Runs with this process's own arguments; the exit code.
    package static func main() -> Int32 {
        switch CommandLineProgram(command, version: version).parseProcessArguments() {
        case .failure(let request): request.code.rawValue
        case .success(let parsed): run(parsed)
        }
    }

    private static func run(_ parsed: ParsedCommand) -> Int32 {
        if parsed.isSet("list-keys") {
            StandardStream.output.write(keyList)
            return ExitCode.success.rawValue
        }
        if parsed.isSet("list-metrics") {
            StandardStream.output.write(metricList)
            return ExitCode.success.rawValue
        }
        let baseline: Baseline?
        let run: LoadRun
        do {
            let scenario = try scenario(parsed)
            baseline = try parsed.text("compare").map(readBaseline)
            run = try LoadRun(scenario, settings(parsed))
        } catch LoadError.unavailable(let reason) {
            StandardStream.error.write("millrace-load: \(reason)\n")
            return ExitCode.unavailable.rawValue
        } catch {
            StandardStream.error.write("millrace-load: \(error)\n")
            return ExitCode.configuration.rawValue
        }
        let report = run.run()
        StandardStream.output.write(ReportTable.render(report))
        if let baseline { StandardStream.output.write(baseline.compare(with: report)) }
        var isWritten = true
        for (option, render) in [
            ("json", ReportJSON.render), ("html", ReportHTML.render),
        ] {
            guard let path = parsed.text(option) else { continue }
            do {
                try FileAccess.write(render(report), to: path)
            } catch {
                StandardStream.error.write("millrace-load: \(error)\n")
                isWritten = false
            }
        }
        return isWritten ? exitCode(report) : ExitCode.failure.rawValue
    }

    /// What the run ends with, where its reports could be written.
    package static func exitCode(_ report: RunReport) -> Int32 {
        switch report.outcome {
        case .passed: ExitCode.success.rawValue
        case .failed: ExitCode.failure.rawValue
        case .unreached: ExitCode.unavailable.rawValue
        // As a shell says of a program that a signal has ended: 130 for SIGINT, 143 for SIGTERM.
        case .interrupted: 128 + (report.signal ?? SIGINT)
        }
    }

    /// The file first, then the flags over it.
    package static func scenario(_ parsed: ParsedCommand) throws -> Scenario {
        var scenario = Scenario()
        if let path = parsed.positionals.first {
            let bytes = try FileAccess.read(path, maximumBytes: ScenarioFile.maximumBytes)
            try scenario.apply(ScenarioFile.entries(bytes))
        }
        var entries: [ScenarioEntry] = []
        for (option, key) in shortcuts {
            if let value = parsed.text(option) {
                entries.append(ScenarioEntry(key: key, values: [value]))
            }
        }
        for assignment in parsed.texts("set") {
            guard let entry = ScenarioEntry(assignment: assignment) else {
                throw ScenarioError(
                    key: "--set", reason: "'\(assignment)' is not KEY=VALUE", line: 0)
            }
            entries.append(entry)
        }
        try scenario.apply(entries)
        try scenario.validate()
        return scenario
    }

    private static func settings(_ parsed: ParsedCommand) throws -> RunSettings {
        var settings = RunSettings()
        if let path = parsed.text("auth-file") {
            let bytes = try FileAccess.read(path, maximumBytes: 4_096)
            let line = bytes.split(separator: 0x0A).first ?? []
            settings.auth = String(decoding: line, as: UTF8.self)
        } else if let key = getenv("MILLRACE_LOAD_AUTH") {
            settings.auth = String(cString: key)
        }
        settings.isVerifyingTLS = !parsed.isSet("insecure")
        settings.authorityFile = parsed.text("ca-file")
        settings.serverPID = parsed.integer("server-pid").map { Int32(clamping: $0) }
        if !parsed.isSet("quiet") {
            settings.progress =
                FileAccess.terminalColumns(2).map { .terminal(columns: $0) } ?? .lines
        }
        return settings
    }

    private static func readBaseline(_ path: String) throws -> Baseline {
        let bytes = try FileAccess.read(path, maximumBytes: 16 << 20)
        do throws(Baseline.Failure) {
            return try Baseline(json: bytes)
        } catch {
            throw LoadError.configuration("\(path) is no report of millrace-load --json")
        }
    }

    /// Options that are another spelling of a scenario's key.
    package static let shortcuts = [
        ("protocol", "protocol"), ("url", "url"), ("sessions", "sessions"), ("readers", "readers"),
        ("duration", "duration_s"), ("ramp", "ramp_s"), ("rate", "messages.per_s"),
        ("think", "messages.think_ms"), ("model", "request.model"), ("input", "request.input"),
        ("seed", "seed"),
    ]

    private static var keyList: String { list(ScenarioKey.all.map { [$0.name, $0.help] }) }

    private static var metricList: String {
        let latencies = Measurements.Latency.allCases.flatMap { kind in
            ReportMetric.latencyFigures.map { ["latency.\(kind.rawValue).\($0)", kind.meaning] }
        }
        return list(ReportMetric.all.map { [$0.name, $0.help] } + latencies)
    }

    private static func list(_ rows: [[String]]) -> String {
        ReportTable.align(rows).joined(separator: "\n") + "\n"
    }
}
