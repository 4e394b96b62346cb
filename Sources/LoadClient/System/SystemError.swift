internal import CEpoll
internal import Glibc

/// A system call that failed, with what was tried.
package struct SystemError: Error, CustomStringConvertible {
    package let what: String
    package let reason: String

    package init(_ what: String, code: Int32 = errno) {
        self.init(what, reason: String(cString: strerror(code)))
    }

    /// For calls whose failures are no `errno`.
    package init(_ what: String, reason: String) {
        self.what = what
        self.reason = reason
    }

    package var description: String { "\(what): \(reason)" }
}
