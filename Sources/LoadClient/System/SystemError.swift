internal import CEpoll
internal import Glibc

/// A system call that failed, with what was tried.
package struct SystemError: Error, CustomStringConvertible {
    package let what: String
    package let code: Int32

    package init(_ what: String, code: Int32 = errno) {
        self.what = what
        self.code = code
    }

    package var reason: String { String(cString: strerror(code)) }
    package var description: String { "\(what): \(reason)" }
}
