import Glibc

/// A port on which somebody listens whose queue is full: connections are neither made nor refused.
final class FullListener {
    let port: UInt16
    private var descriptors: [Int32] = []

    init() throws {
        func address(_ port: UInt16) -> sockaddr_in {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            return address
        }
        func with<Result>(
            _ address: inout sockaddr_in,
            _ body: (UnsafeMutablePointer<sockaddr>, inout socklen_t) -> Result
        ) -> Result {
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            return withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
            }
        }
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let listener = socket(AF_INET, type, 0)
        descriptors.append(listener)
        var own = address(0)
        guard with(&own, { bind(listener, $0, $1) }) == 0, listen(listener, 0) == 0,
            with(&own, { getsockname(listener, $0, &$1) }) == 0
        else { throw TestSocket.Failure(description: String(cString: strerror(errno))) }
        port = UInt16(bigEndian: own.sin_port)
        // Even a queue of none takes one or two.
        for _ in 0..<4 {
            let filler = socket(AF_INET, type, 0)
            descriptors.append(filler)
            var target = address(port)
            _ = with(&target) { connect(filler, $0, $1) }
        }
    }

    deinit { for descriptor in descriptors { close(descriptor) } }
}
