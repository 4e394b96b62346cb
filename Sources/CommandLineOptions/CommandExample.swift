/// A command line worth copying, with the reason to use it.
package struct CommandExample: Sendable, Equatable {
    /// The whole line, program name included.
    package let line: String
    /// What it does, in one phrase.
    package let explanation: String

    package init(_ line: String, _ explanation: String) {
        self.line = line
        self.explanation = explanation
    }
}
