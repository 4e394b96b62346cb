import Glibc

/// The environment this process was started with.
package enum ProcessEnvironment {
    /// All variables, read anew at each call; bytes that are not UTF-8 become U+FFFD.
    package static var variables: [String: String] {
        var result: [String: String] = [:]
        let start: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = environ
        guard var entry = start else { return result }
        while let text = entry.pointee {
            let line = String(cString: text)
            if let equals = line.firstIndex(of: "=") {
                result[String(line[..<equals])] = String(line[line.index(after: equals)...])
            }
            entry += 1
        }
        return result
    }
}
