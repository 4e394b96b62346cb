/// A text that must not appear in logs, errors or rendered configuration.
///
/// Interpolation, `print` and reflection give `********`; only `reveal()` gives the text.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// What stands in place of every secret.
    package static let mask = "********"
    private let text: String

    package init(_ text: String) { self.text = text }

    /// The text itself, for the one call that needs it.
    package func reveal() -> String { text }

    package var description: String { Self.mask }
    package var debugDescription: String { Self.mask }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
