/// What an upstream makes of `stream: true` for a model, as far as its last answers have shown.
package enum UpstreamStreaming: Equatable, Sendable {
    case streams
    /// It answers with the whole response all the same: asked as ever, because that may end, and waited for longer.
    case answersWhole
    /// It refuses such requests: asked without.
    case refuses
}
