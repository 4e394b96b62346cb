/// Why a text is not a YAML document that we take.
package struct YAMLError: Error, Equatable {
    /// From 1; 0 when the failure has no place.
    package let line: Int
    /// One phrase: what is wrong, and the limit where one was met.
    package let reason: String
}
