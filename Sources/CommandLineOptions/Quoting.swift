/// Text from outside for a one-line message: in quotes, cut to 80 characters, without control characters and without a
/// URL's user and password.
package func quoted(_ text: String) -> String {
    var result = "'"
    for (count, scalar) in withoutCredentials(text).unicodeScalars.enumerated() {
        guard count < 80 else {
            result += "…"
            break
        }
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x2028, 0x2029, 0x202a...0x202e, 0x2066...0x2069:
            result += "\\u{\(String(scalar.value, radix: 16))}"
        default:
            result.unicodeScalars.append(scalar)
        }
    }
    return result + "'"
}

/// `https://***@host` for `https://user:password@host` (RFC 3986, section 3.2.1): what is quoted ends up in logs.
private func withoutCredentials(_ text: String) -> Substring {
    let scalars = text.unicodeScalars
    var start = scalars.startIndex
    while start != scalars.endIndex, !scalars[start...].starts(with: "://".unicodeScalars) {
        start = scalars.index(after: start)
    }
    guard start != scalars.endIndex else { return text[...] }
    start = scalars.index(start, offsetBy: 3)
    // Up to the last one: a password that is not escaped may hold anything.
    guard let at = scalars[start...].lastIndex(of: "@") else { return text[...] }
    return text[..<start] + "***" + text[at...]
}
