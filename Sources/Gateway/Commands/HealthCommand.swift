import CommandLineOptions
import Glibc

/// `millrace health`: asks a running gateway whether it is alive, for container health checks.
enum HealthCommand {
    static let command = Command(
        "health", summary: "Ask a running gateway whether it is well.",
        discussion:
            "Exit code 0 when it answers 200, 1 when it answers otherwise, 4 when it does not answer.",
        options: [
            CommandOption(
                "address", .hostPort, help: "Where the gateway listens.",
                defaultText: "MILLRACE_LISTEN, else 127.0.0.1:8080"),
            CommandOption(
                "ready", .flag,
                help: "Ask /readyz instead of /healthz: may new clients be sent to it?"),
            CommandOption(
                "timeout-ms", .integer(1...60_000), help: "Longest wait.", defaultText: "2000"),
        ],
        examples: [
            CommandExample("millrace health --address 127.0.0.1:8080", "In a HEALTHCHECK.")
        ])

    static func run(_ parsed: ParsedCommand) -> ExitCode {
        // In a container the gateway and its health check have the same environment.
        let listen = getenv("MILLRACE_LISTEN").flatMap { HostPort(parsing: String(cString: $0)) }
        var address =
            parsed.hostPort("address") ?? listen ?? HostPort(host: "127.0.0.1", port: 8080)
        // A server that listens everywhere is asked at home.
        if address.host == "0.0.0.0" || address.host.isEmpty {
            address = HostPort(host: "127.0.0.1", port: address.port)
        }
        if address.host == "::" { address = HostPort(host: "::1", port: address.port) }
        let path = parsed.isSet("ready") ? "/readyz" : "/healthz"
        let timeout = parsed.integer("timeout-ms") ?? 2000
        guard let status = HTTPProbe.status(of: path, at: address, timeoutMilliseconds: timeout)
        else {
            StandardStream.error.write("millrace: nobody answers at \(address)\n")
            return .unavailable
        }
        StandardStream.output.write("\(path) \(status)\n")
        return status == 200 ? .success : .failure
    }
}

/// One blocking GET, of which only the status matters.
private enum HTTPProbe {
    static func status(of path: String, at address: HostPort, timeoutMilliseconds: Int) -> Int? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address.host, String(address.port), &hints, &list) == 0, let first = list
        else { return nil }
        defer { freeaddrinfo(list) }
        let descriptor = socket(
            first.pointee.ai_family, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var limit = timeval(
            tv_sec: timeoutMilliseconds / 1000, tv_usec: timeoutMilliseconds % 1000 * 1000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        guard connect(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else {
            return nil
        }
        let request = Array(
            "GET \(path) HTTP/1.1\r\nhost: \(address)\r\nconnection: close\r\n\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            return nil
        }
        var head: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 256)
        // "HTTP/1.1 200" is all that is needed.
        while head.count < 12 {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            head.append(contentsOf: buffer[..<count])
        }
        return Int(String(decoding: head[9..<12], as: UTF8.self))
    }
}
