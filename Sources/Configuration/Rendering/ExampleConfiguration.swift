/// The text of `config/millrace.yaml`: every key, commented out, with its unit and default.
package func renderExampleConfiguration() -> String {
    var text = """
        # Millrace: every key with its default. Remove the "#" in front of a key to set it.
        #
        # Sources, weakest first: defaults, this file (millrace serve --config FILE), environment
        # variables (MILLRACE_SECTION_KEY), options. An unknown key, a wrong type or a value out of
        # range is refused at start. `millrace check-config` prints what is in force.

        """
    for section in ConfigurationSchema.gateway.sections {
        text += "\n# \(section.documentation)\n\(section.name):\n"
        for (index, key) in section.keys.enumerated() {
            if index > 0 { text += "\n" }
            text += comment(key.documentation)
            text += comment(details(of: key))
            text += "  #\(key.shortName): \(YAMLText.value(key.defaultValue))\n"
        }
    }
    return text
}

private func details(of key: ConfigurationKey) -> String {
    let kind = "Takes \(key.kind.expectation)"
    return kind + (key.isSecret ? "; a secret." : ".")
}

private func comment(_ text: String) -> String {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
        if !line.isEmpty, line.count + 1 + word.count > 92 {
            lines.append(line)
            line = ""
        }
        line += line.isEmpty ? String(word) : " \(word)"
    }
    lines.append(line)
    return lines.map { "  # \($0)\n" }.joined()
}
