import Glibc

/// A temporary directory with a self-signed certificate for 127.0.0.1, made by the `openssl` program.
final class TLSFixture {
    struct Unavailable: Error { let what: String }

    let directory: String
    var certificate: String { "\(directory)/cert.pem" }
    var key: String { "\(directory)/key.pem" }

    init() throws {
        var template = Array("/tmp/millrace-tls-XXXXXX\0".utf8CString.dropLast())
        guard mkdtemp(&template) != nil else { throw Unavailable(what: "mkdtemp") }
        directory = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let openssl = try Subprocess([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
            "-subj", "/CN=millrace-test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
        ])
        guard openssl.wait() == 0 else { throw Unavailable(what: "openssl req") }
    }

    deinit {
        if let remove = try? Subprocess(["rm", "-rf", directory]) { _ = remove.wait() }
    }

    func write(_ text: String, to name: String) {
        guard let file = fopen("\(directory)/\(name)", "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    /// A TLS server that answers each connection's first request; `ending` is Python that ends `c`.
    func server(ending: String) throws -> (process: Subprocess, port: UInt16) {
        let script = """
            import os, socket, ssl, sys, threading
            x = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            x.load_cert_chain(sys.argv[1], sys.argv[2])
            s = socket.create_server(("127.0.0.1", 0))
            print(s.getsockname()[1], flush=True)
            def serve(c):
                try:
                    c = x.wrap_socket(c, server_side=True)
                    while not c.recv(65536).endswith(b"{}"): pass
                    c.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\n"
                        b"transfer-encoding: chunked\\r\\n\\r\\n9\\r\\ndata: 1\\n\\n\\r\\n")
                    \(ending)
                except OSError: pass
            while True: threading.Thread(target=serve, args=[s.accept()[0]], daemon=True).start()
            """
        let process = try Subprocess(["python3", "-c", script, certificate, key])
        guard let port = UInt16(process.readLine()) else { throw Unavailable(what: "python3 ssl") }
        return (process, port)
    }

    /// Whether this machine has `nghttpd`.
    static let hasHTTP2Server: Bool = (try? Subprocess(["nghttpd", "--version"]))?.wait() == 0

    /// nghttpd, an HTTP/2 server that others wrote, serving the directory; it accepts connections.
    func http2Server() throws -> (process: Subprocess, port: UInt16) {
        write("text/event-stream sse\n", to: "mime.types")
        while true {
            // It cannot choose a port itself; these are not the ones that the system gives out.
            let port = UInt16.random(in: 20_000..<32_000)
            if ScriptedServer.accepts(port: port) { continue }
            let process = try Subprocess([
                "nghttpd", "--address=127.0.0.1", "--mime-types-file=\(directory)/mime.types",
                "--htdocs=\(directory)", String(port), key, certificate,
            ])
            while process.isRunning, !ScriptedServer.accepts(port: port) { sched_yield() }
            if process.isRunning { return (process, port) }
        }
    }
}

/// A child process whose standard output can be read; killed and reaped at the end of its life.
final class Subprocess {
    struct Failure: Error { let errno: Int32 }

    private let process: pid_t
    private let output: Int32
    private var isReaped = false

    init(_ arguments: [String]) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(errno: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process = pid_t()
        let status = posix_spawnp(&process, words[0] ?? strdup(""), &actions, nil, &words, environ)
        close(ends[1])
        guard status == 0 else {
            close(ends[0])
            throw Failure(errno: status)
        }
        self.process = process
        output = ends[0]
    }

    deinit {
        if !isReaped {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        close(output)
    }

    func readLine() -> String {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(output, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
        return String(decoding: line, as: UTF8.self)
    }

    /// False once it has ended by itself.
    var isRunning: Bool {
        if !isReaped, waitpid(process, nil, WNOHANG) == process { isReaped = true }
        return !isReaped
    }

    /// Waits for the end and returns the wait status.
    func wait() -> Int32 {
        var status: Int32 = 0
        waitpid(process, &status, 0)
        isReaped = true
        return status
    }
}
