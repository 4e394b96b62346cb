/// A value of one key, checked against its kind.
package enum ConfigurationValue: Sendable, Equatable {
    /// An optional key that is not set.
    case absent
    case bool(Bool)
    case integer(Int)
    case text(String)
    case list([String])
    /// Sorted by name.
    case map([Pair])

    /// One entry of a map.
    package struct Pair: Sendable, Equatable {
        package let name: String
        package let value: String
    }
}
