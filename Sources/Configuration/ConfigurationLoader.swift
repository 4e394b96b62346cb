package import CommandLineOptions
import Glibc

/// Puts the sources together: defaults, then the file, then the environment, then the options.
package enum ConfigurationLoader {
    /// Loads what a command line with `ConfigurationSchema.gateway.commandOptions` asks for.
    ///
    /// The file is `--config`, else `MILLRACE_CONFIG`, else none.
    package static func load(
        _ command: ParsedCommand, environment: [String: String] = ProcessEnvironment.variables
    ) throws(ConfigurationFailure) -> LoadedConfiguration {
        var flags: [(key: ConfigurationKey, text: String)] = []
        for key in ConfigurationSchema.gateway.keys {
            guard let flag = key.flag else { continue }
            if case .bool = key.kind {
                if let value = command.flag(flag) { flags.append((key, "\(value)")) }
            } else if let text = command.text(flag) {
                flags.append((key, text))
            }
        }
        let named = environment["MILLRACE_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        var file: (name: String, bytes: [UInt8])?
        if let path = command.text("config") ?? named {
            file = (path, try read(path))
        }
        return try resolve(
            file: file, environment: environment, settings: command.texts("set"), flags: flags)
    }

    /// The pure part of `load`: `file` is what was read under its name.
    static func resolve(
        file: (name: String, bytes: [UInt8])? = nil, environment: [String: String] = [:],
        settings: [String] = [], flags: [(key: ConfigurationKey, text: String)] = []
    ) throws(ConfigurationFailure) -> LoadedConfiguration {
        var decoder = ConfigurationDecoder(schema: .gateway)
        if let file { decoder.take(file: file.name, bytes: file.bytes) }
        decoder.take(environment: environment)
        decoder.take(settings: settings)
        for (key, text) in flags {
            decoder.take(text: text, for: key, from: .flag("--\(key.flag ?? key.name)"))
        }
        guard decoder.issues.isEmpty else { throw ConfigurationFailure(issues: decoder.issues) }
        var reader = ConfigurationReader(values: decoder.assignments.mapValues(\.value))
        let values = GatewayConfiguration(&reader)
        let rules = ConfigurationRules(values, decoder.assignments)
        guard rules.issues.isEmpty else { throw ConfigurationFailure(issues: rules.issues) }
        return LoadedConfiguration(
            values: values, warnings: rules.warnings, assignments: decoder.assignments)
    }

    /// Checks the text of one file alone, with no other source; for tests and fuzzing.
    package static func check(_ bytes: [UInt8]) throws(ConfigurationFailure) -> LoadedConfiguration
    {
        try resolve(file: ("input", bytes))
    }

    /// Reads a whole regular file of at most `YAMLDocument.maximumBytes`.
    private static func read(_ path: String) throws(ConfigurationFailure) -> [UInt8] {
        func failure(_ reason: String) -> ConfigurationFailure {
            ConfigurationFailure(issues: [
                ConfigurationIssue(origin: .file(path, line: 0), key: nil, reason: reason)
            ])
        }
        // Without blocking: opening a pipe that nobody writes would wait for ever.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw failure("cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw failure("expected a regular file")
        }
        let limit = YAMLDocument.maximumBytes
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var count = 0
        while count < bytes.count {
            let step = bytes.withUnsafeMutableBytes { buffer in
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                return Glibc.read(descriptor, rest.baseAddress, rest.count)
            }
            if step < 0, errno == EINTR { continue }
            guard step >= 0 else {
                throw failure("cannot be read: \(String(cString: strerror(errno)))")
            }
            if step == 0 { break }
            count += step
        }
        guard count <= limit else { throw failure("larger than the limit of \(limit) bytes") }
        return Array(bytes[..<count])
    }
}
