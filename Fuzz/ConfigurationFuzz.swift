// Configuration files: any bytes give a configuration or a list of refusals; what is accepted and
// rendered is accepted again.

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzConfiguration(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let text = String(decoding: bytes, as: UTF8.self)
    do {
        let loaded = try ConfigurationLoader.check(bytes)
        let isMasked = ConfigurationSchema.gateway.keys.contains { key in
            key.isSecret && loaded.origin(of: key.name) != nil
        }
        if !isMasked {
            let effective = loaded.renderEffective()
            guard let again = try? ConfigurationLoader.check(Array(effective.utf8)) else {
                preconditionFailure("the effective configuration is refused:\n\(effective)")
            }
            precondition(
                uncommented(again.renderEffective()) == uncommented(effective),
                "read back differently:\n\(effective)")
        }
    } catch {
        precondition(!error.issues.isEmpty && !error.description.isEmpty)
    }
    // The same text as an environment variable, an option and a value on the command line.
    for key in ["MILLRACE_ORIGINS", "MILLRACE_UPSTREAM_HEADERS", "MILLRACE_SHARDS"] {
        _ = try? ConfigurationLoader.resolve(environment: [key: text])
    }
    _ = try? ConfigurationLoader.resolve(settings: [text])
    return 0
}

/// Sources change between the two renderings, values must not.
private func uncommented(_ text: String) -> [String] {
    text.split(separator: "\n").map { line in
        var line = String(line)
        // A source is written behind two spaces; values with "#" are quoted.
        if let marker = line.range(ofSourceMarker: "  # ") { line.removeSubrange(marker) }
        return line
    }
}

extension String {
    /// From the last `marker` to the end.
    fileprivate func range(ofSourceMarker marker: String) -> Range<String.Index>? {
        let marker = Array(marker.utf8)
        let bytes = Array(utf8)
        guard bytes.count >= marker.count else { return nil }
        for start in stride(from: bytes.count - marker.count, through: 0, by: -1)
        where bytes[start..<start + marker.count].elementsEqual(marker) {
            return utf8.index(utf8.startIndex, offsetBy: start)..<endIndex
        }
        return nil
    }
}
