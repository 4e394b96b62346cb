/// The text of docs/configuration.md: a table per section.
package func renderConfigurationReference() -> String {
    var text = """
        # Configuration

        <!-- Written by `make generated` from the schema in Sources/Configuration. Do not edit. -->

        A value comes from the strongest source that has one: an option, then an environment variable, then the file
        (`--config FILE` or `MILLRACE_CONFIG`, YAML), then the default. [config/millrace.yaml](../config/millrace.yaml) lists every key.
        `millrace check-config` prints what is in force, secrets masked, with the source of each value that is no default.

        - Refused at start, with file, line, key and what was expected: an unknown or repeated key, a wrong type, a value out
          of range, keys that contradict each other, a `MILLRACE_…` variable that sets nothing. Exit code 3.
        - Every key has a variable, `MILLRACE_` and the name in capitals with `_`; the table lists it with its shorter names, the strongest first:
          that one counts, but two `MILLRACE_` names of one key that are set to different values are refused. An empty variable counts as unset. Any key can be set by `--set KEY=VALUE`.
        - Lists and mappings outside the file: `a,b` and `name=value,name=value`, or as in YAML, `[a, "b,c"]` and `{name: value}`.
        - Units stand in the name: `_s` seconds, `_ms` milliseconds, `bytes` bytes. Numbers are whole.
        - YAML aliases, anchors and tags are not taken; a file has at most \(YAMLDocument.maximumBytes) bytes.

        """
    for section in ConfigurationSchema.gateway.sections {
        text += "\n## \(section.name)\n\n\(section.documentation)\n\n"
        text += "| key | takes | default | |\n| --- | --- | --- | --- |\n"
        for key in section.keys { text += row(key) }
    }
    text += """

        ## Rules between keys

        | | |
        | --- | --- |

        """
    for rule in ConfigurationRule.all {
        let keys = rule.keys.map { "`\($0)`" }.joined(separator: ", ")
        text += "| \(keys) | \(rule.statement) |\n"
    }
    return text
}

private func row(_ key: ConfigurationKey) -> String {
    let value = YAMLText.value(key.defaultValue)
    let flag = key.flag.map { "`--\($0)` · " } ?? ""
    let names = key.environment.map { "`\($0)`" }.joined(separator: ", ")
    let takes = key.kind.expectation + (key.isSecret ? " (secret)" : "")
    let cells = [
        "`\(key.name)`", escaped(takes), "`\(value == "null" ? "unset" : value)`",
        escaped(key.documentation) + "<br>\(flag)\(names)",
    ]
    return "| " + cells.joined(separator: " | ") + " |\n"
}

private func escaped(_ text: String) -> String {
    text.reduce(into: "") { $0 += $1 == "|" ? "\\|" : $1 == "*" ? "\\*" : String($1) }
}
