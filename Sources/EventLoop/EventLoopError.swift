internal import CLibuv

/// A libuv call that failed, with libuv's own reason.
package struct EventLoopError: Error, CustomStringConvertible, Sendable {
    /// The C function that failed.
    package let call: String
    /// libuv's negative error number.
    package let status: Int32

    package var description: String { "\(call): \(String(cString: uv_strerror(status)))" }
}
