/// Why a text is not a YAML document that we take.
struct YAMLError: Error, Equatable {
    /// From 1; 0 when the failure has no place.
    let line: Int
    /// One phrase: what is wrong, and the limit where one was met.
    let reason: String
}
