import CommandLineOptions
import Configuration
import GatewayCore
import Glibc
import TokenSigning

/// `millrace token`: keys for resume tokens, and what a token says.
enum TokenCommand {
    static let command = Command(
        "token", summary: "Make keys for resume tokens, and look into tokens.",
        subcommands: [
            Command(
                "new-key", summary: "Print a fresh key for resume.token_keys.",
                options: [
                    CommandOption(
                        "id", .text, help: "The key's id, for rotation.", defaultText: "random")
                ],
                examples: [
                    CommandExample(
                        "millrace token new-key --id 2026-11", "A key named after a month.")
                ]),
            Command(
                "show", summary: "Verify a token with the configured keys and print its claims.",
                options: ConfigurationSchema.gateway.commandOptions,
                positionals: [CommandPositional("TOKEN", help: "The token, as `ready` gave it.")],
                examples: [
                    CommandExample(
                        "millrace token show --config millrace.yaml TOKEN", "Whose is it?")
                ]),
        ])

    static func run(_ parsed: ParsedCommand) -> ExitCode {
        switch parsed.name {
        case "new-key": newKey(parsed)
        default: show(parsed)
        }
    }

    private static func newKey(_ parsed: ParsedCommand) -> ExitCode {
        do {
            guard let entry = try freshEntry(id: parsed.text("id")) else {
                StandardStream.error.write(
                    "millrace: --id: expected 1 to 64 characters of A-Z a-z 0-9 . _ -\n")
                return .usage
            }
            return StandardStream.output.write("\(entry)\n") ? .success : .failure
        } catch {
            StandardStream.error.write("millrace: \(error)\n")
            return .failure
        }
    }

    /// An entry for `resume.token_keys`; nil when no key can have that id.
    static func freshEntry(id: String?) throws -> String? {
        let id = try id ?? Base32.encode(SecureRandom.bytes(5))
        let key = try Base64URL.encode(SecureRandom.bytes(32))
        let entry = "\(id):\(String(decoding: key, as: UTF8.self))"
        return TokenKey(parsing: entry) == nil ? nil : entry
    }

    private static func show(_ parsed: ParsedCommand) -> ExitCode {
        let loaded: LoadedConfiguration
        do {
            loaded = try ConfigurationLoader.load(parsed)
        } catch {
            StandardStream.error.write("\(error)\n")
            return .configuration
        }
        let keys = loaded.values.resume.tokenKeys
        guard !keys.isEmpty else {
            StandardStream.error.write(
                "millrace: resume.token_keys is empty: tokens are signed with a key that only the running gateway has\n"
            )
            return .configuration
        }
        do {
            let signer = try TokenSigner(
                keys: keys.map { try HMACKey(id: $0.id, secret: $0.bytes) })
            let now = Int64(time(nil))
            let claims = try signer.verify(parsed.positionals.first ?? "", now: now)
            let isWritten = StandardStream.output.write(
                """
                key: \(claims.keyID)
                session: \(claims.session)
                epoch: \(claims.epoch)
                subject: \(claims.subject)
                last_upstream_response: \(claims.conversation?.response ?? "none")
                upstream: \(claims.conversation?.upstream ?? "not said")
                open_calls: \(claims.conversation?.openCalls.count ?? 0)
                expires_in_s: \(claims.expiresAt - now)

                """)
            return isWritten ? .success : .failure
        } catch {
            StandardStream.error.write("millrace: the token is not valid: \(error)\n")
            return .failure
        }
    }
}
