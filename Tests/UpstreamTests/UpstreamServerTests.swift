import GatewayCore
import Glibc
import Testing

@testable import Upstream

@Suite("An upstream's address and headers")
struct UpstreamServerTests {
    @Test(
        "join the base URL and the path",
        arguments: [
            ("https://api.openai.com/v1", "api.openai.com:443", "https://api.openai.com/v1/r?a=1"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080", "http://127.0.0.1:8080/r?a=1"),
            ("http://[::1]:9", "[::1]:9", "http://[::1]:9/r?a=1"),
            (
                "HTTPS://x.azure.com/openai/v1/?api-version=preview", "x.azure.com:443",
                "HTTPS://x.azure.com/openai/v1/r?a=1&api-version=preview"
            ),
        ])
    func joins(base: String, endpoint: String, url: String) throws {
        let server = try UpstreamServer(.init(baseURL: base))
        #expect(server.endpoint == endpoint)
        #expect(try server.url(path: "/r?a=1") == url)
        #expect(server.isSecure == base.lowercased().hasPrefix("https"))
    }

    @Test(
        "are refused when they cannot be meant",
        arguments: [
            "", "api.openai.com", "ftp://a", "http:/a", "http://", "http://u:p@a", "http://a:0",
            "http://a:99999", "http://a:b", "http://[::1", "http://a/#x", "http://a b", "http://ü",
            "http://a\\b",
        ])
    func refuses(base: String) {
        #expect(throws: UpstreamError.self) { try UpstreamServer(.init(baseURL: base)) }
    }

    @Test("are refused when a header could end its line, and never show the key")
    func refusesHeaders() throws {
        var options = UpstreamServer.Options(baseURL: "http://a")
        options.authentication = .bearer("sk-secret\r\nx: y")
        do {
            _ = try UpstreamServer(options)
            Issue.record("accepted")
        } catch {
            #expect(!error.description.contains("secret"))
        }
        options.authentication = .header(name: "api-key", value: "secret")
        let server = try UpstreamServer(options)
        #expect(!server.description.contains("secret"))
        options.extraHeaders = [("x y", "z")]
        #expect(throws: UpstreamError.self) { try UpstreamServer(options) }
    }

    @Test("are not changed by the environment's proxy settings")
    func ignoresEnvironment() throws {
        let proxy = try ScriptedServer { $0.waitForClose() }
        defer { proxy.stop() }
        let server = try ScriptedServer { connection in
            guard connection.beginStream() else { return }
            connection.endStream()
        }
        defer { server.stop() }
        setenv("http_proxy", "http://127.0.0.1:\(proxy.port)", 1)
        setenv("all_proxy", "http://127.0.0.1:\(proxy.port)", 1)
        defer {
            unsetenv("http_proxy")
            unsetenv("all_proxy")
        }
        let (recorder, _) = try Harness.exchange(.stream(server.url))
        #expect(recorder.isFinished)
        #expect(proxy.connectionCount == 0)
        // A configured one is used.
        var options = UpstreamServer.Options(baseURL: server.url)
        options.proxy = "http://127.0.0.1:\(server.port)"
        let (through, _) = try Harness.exchange(
            UpstreamRequest(.post, "/responses", to: try UpstreamServer(options)))
        #expect(through.isFinished)
    }

    @Test(
        "blame a proxy that opens no tunnel",
        arguments: [
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno",
            "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
            "",
        ])
    func refusingProxy(answer: String) throws {
        let proxy = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write(answer)
        }
        defer { proxy.stop() }
        var options = UpstreamServer.Options(baseURL: "https://upstream.invalid/v1")
        options.proxy = "http://127.0.0.1:\(proxy.port)"
        let (recorder, _) = try Harness.exchange(
            UpstreamRequest(.post, "/responses", to: UpstreamServer(options)))
        #expect(recorder.failure?.code == .proxyFailed)
        #expect(recorder.failure?.fault == .gateway)
    }

    @Test("blame a proxy that is not there", arguments: ["http", "https"])
    func missingProxy(scheme: String) throws {
        let gone = try ScriptedServer { _ in }
        gone.stop()
        var options = UpstreamServer.Options(baseURL: "\(scheme)://upstream.invalid/v1")
        options.proxy = "http://127.0.0.1:\(gone.port)"
        let (recorder, _) = try Harness.exchange(
            UpstreamRequest(.post, "/responses", to: UpstreamServer(options)))
        #expect(recorder.failure?.code == .proxyFailed)
    }

    @Test(
        "name every way in which libcurl fails",
        arguments: [
            (6, 0, "", .connecting, .dnsFailed, .upstream, true),
            (5, 0, "", .connecting, .proxyFailed, .gateway, true),
            (7, ECONNREFUSED, "", .connecting, .connectRefused, .upstream, true),
            (7, EHOSTUNREACH, "", .connecting, .connectFailed, .upstream, true),
            (7, ETIMEDOUT, "", .connecting, .connectTimeout, .upstream, true),
            (7, EMFILE, "", .connecting, .noRoom, .gateway, true),
            (6, EMFILE, "", .resolving, .noRoom, .gateway, true),
            (6, ENFILE, "", .resolving, .noRoom, .gateway, true),
            (5, EMFILE, "", .resolving, .noRoom, .gateway, true),
            (7, ENFILE, "", .connecting, .noRoom, .gateway, true),
            (6, 0, "getaddrinfo() thread failed to start", .resolving, .noRoom, .gateway, true),
            (28, 0, "", .resolving, .dnsTimeout, .upstream, true),
            (28, 0, "", .connecting, .connectTimeout, .upstream, true),
            (28, 0, "", .securing, .tlsTimeout, .upstream, true),
            (35, 0, "", .securing, .tlsFailed, .upstream, true),
            (60, 0, "", .securing, .tlsFailed, .gateway, false),
            (77, 0, "", .securing, .tlsFailed, .gateway, false),
            (52, 0, "", .waiting, .reset, .upstream, true),
            (56, ECONNRESET, "", .receiving, .reset, .upstream, true),
            (
                56, 0, "Malformed encoding found in chunked-encoding", .receiving, .protocolError,
                .upstream, true
            ),
            (
                56, 0, "OpenSSL SSL_read: unexpected eof while reading", .receiving, .truncated,
                .upstream, true
            ),
            (18, 0, "", .receiving, .truncated, .upstream, true),
            (92, 0, "", .receiving, .reset, .upstream, true),
            (16, 0, "", .waiting, .protocolError, .upstream, true),
            (1, 0, "Received HTTP/0.9", .waiting, .protocolError, .upstream, true),
            (8, 0, "", .waiting, .protocolError, .upstream, true),
            (27, 0, "", .waiting, .tooLarge, .upstream, false),
            (27, 0, "", .connecting, .internalError, .gateway, false),
        ]
            as [(
                UInt32, Int32, String, TransferDiagnosis.Phase, UpstreamFailure.Code,
                UpstreamFailure.Fault, Bool
            )])
    func diagnoses(
        code: UInt32, systemError: Int32, detail: String, phase: TransferDiagnosis.Phase,
        expected: UpstreamFailure.Code, fault: UpstreamFailure.Fault, isRetryable: Bool
    ) {
        let failure = TransferDiagnosis(
            code: code, systemError: systemError, detail: detail, endpoint: "host:1",
            phase: phase, connectTimeout: .seconds(1)
        ).failure
        #expect(failure.code == expected)
        #expect(failure.fault == fault)
        #expect(failure.isRetryable == isRetryable)
        #expect(failure.message.contains("host:1"))
    }
}
