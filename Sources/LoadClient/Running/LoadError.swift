/// Why a run could not begin.
package enum LoadError: Error, CustomStringConvertible {
    case configuration(String)
    case unavailable(String)

    package var description: String {
        switch self {
        case .configuration(let text), .unavailable(let text): text
        }
    }
}
