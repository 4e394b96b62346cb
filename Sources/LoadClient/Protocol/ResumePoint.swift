/// Where a connection goes on: the token of the session, and the last position that was seen.
package struct ResumePoint: Equatable, Sendable {
    package let token: String
    package let after: Int

    package init(token: String, after: Int) {
        self.token = token
        self.after = after
    }
}
