import GatewayCore
import Glibc
import Testing

@testable import Upstream

@Suite("An upstream behind TLS", .timeLimit(.minutes(10)))
struct UpstreamTLSTests {
    private func request(
        _ url: String, path: String = "/responses",
        _ change: (inout UpstreamServer.Options) -> Void = { _ in }
    ) throws -> UpstreamRequest {
        var options = UpstreamServer.Options(baseURL: url)
        change(&options)
        return UpstreamRequest(
            .post, path, to: try UpstreamServer(options), body: Array("{}".utf8))
    }

    private static let cleanEnd =
        "c.sendall(b'0\\r\\n\\r\\n'); c.unwrap().close()"

    @Test("is believed only with a certificate that an authority we trust has given to that name")
    func verifies() throws {
        let fixture = try TLSFixture()
        let server = try fixture.server(ending: Self.cleanEnd)
        let url = "https://127.0.0.1:\(server.port)/v1"

        let (untrusted, _) = try Harness.exchange(request(url))
        #expect(untrusted.failure?.code == .tlsFailed)
        #expect(untrusted.failure?.fault == .gateway)
        #expect(untrusted.failure?.isRetryable == false)
        let text = untrusted.failure?.message ?? ""
        #expect(text.hasPrefix("TLS with 127.0.0.1:\(server.port): the certificate is not trusted"))
        #expect(text.contains("self-signed certificate"), "\(text)")
        #expect(untrusted.connectedCount == 0)

        let (trusted, transfer) = try Harness.exchange(
            request(url) { $0.authorityFile = fixture.certificate })
        #expect(trusted.isFinished)
        #expect(trusted.text == "data: 1\n\n")
        #expect(transfer.timing.appConnect >= transfer.timing.connect)
        #expect(transfer.timing.connect > .zero)
        #expect(!transfer.timing.isHTTP2)

        let (otherName, _) = try Harness.exchange(
            request("https://localhost:\(server.port)/v1") {
                $0.authorityFile = fixture.certificate
            })
        #expect(otherName.failure?.code == .tlsFailed)
        #expect(otherName.failure?.message.contains("localhost") == true)

        let (unchecked, _) = try Harness.exchange(request(url) { $0.verifiesTLS = false })
        #expect(unchecked.isFinished)

        let (noFile, _) = try Harness.exchange(
            request(url) { $0.authorityFile = "\(fixture.directory)/missing.pem" })
        #expect(noFile.failure?.code == .tlsFailed)
        #expect(noFile.failure?.fault == .gateway)
    }

    /// Tells, in a last event, whether the session was one of before.
    private static let tellsResumption = """
        e = b"data: %d\\n\\n" % c.session_reused; \
        c.sendall(b"%x\\r\\n%s\\r\\n0\\r\\n\\r\\n" % (len(e), e)); c.unwrap().close()
        """

    @Test("is met again without a whole handshake, by whichever handle comes next")
    func resumesSessions() throws {
        let fixture = try TLSFixture()
        let server = try fixture.server(ending: Self.tellsResumption)
        let request = try request("https://127.0.0.1:\(server.port)/v1") {
            $0.authorityFile = fixture.certificate
        }
        var options = UpstreamOptions()
        // Each transfer makes a handle of its own.
        options.maximumIdleHandles = 0
        let first = Recorder()
        let second = Recorder()
        try Harness.run(options: options) { harness in
            first.onEnd = { _ in _ = try? harness.start(request, second) }
            second.onEnd = { _ in harness.finish() }
            _ = try harness.start(request, first)
        }
        #expect(first.text == "data: 1\n\ndata: 0\n\n")
        #expect(second.text == "data: 1\n\ndata: 1\n\n")
    }

    @Test("that ends without saying so is cut, not finished")
    func endsWithoutCloseNotify() throws {
        let fixture = try TLSFixture()
        let server = try fixture.server(ending: "c.detach() and os._exit(0)")
        let (recorder, _) = try Harness.exchange(
            request("https://127.0.0.1:\(server.port)") { $0.authorityFile = fixture.certificate })
        #expect(recorder.text == "data: 1\n\n")
        #expect(recorder.failure?.code == .truncated, "\(recorder.failure?.message ?? "")")
    }

    @Test("is found out when it does not speak TLS, or nothing at all")
    func isNotTLS() throws {
        let plain = try ScriptedServer { connection in
            connection.write("HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.waitForClose()
        }
        defer { plain.stop() }
        let (recorder, _) = try Harness.exchange(request("https://127.0.0.1:\(plain.port)"))
        #expect(recorder.failure?.code == .tlsFailed)

        let silent = try ScriptedServer { $0.waitForClose() }
        defer { silent.stop() }
        let (slow, _) = try Harness.exchange(
            // Long enough for a busy machine to connect in.
            request("https://127.0.0.1:\(silent.port)") { $0.connectTimeout = .seconds(2) })
        #expect(slow.failure?.code == .tlsTimeout)
        #expect(slow.failure?.isRetryable == true)
    }

    @Test(
        "shares one HTTP/2 connection; pausing or cancelling one stream leaves the others alone",
        .enabled(if: TLSFixture.hasHTTP2Server, "nghttpd (package nghttp2-server) is not installed")
    )
    func multiplexes() throws {
        let fixture = try TLSFixture()
        fixture.write("data: 1\n\n", to: "small.sse")
        let large = String(
            repeating: "data: \(String(repeating: "x", count: 1_000))\n\n", count: 5_000)
        fixture.write(large, to: "large.sse")
        let (server, port) = try fixture.http2Server()
        defer { withExtendedLifetime(server) {} }
        let url = "https://127.0.0.1:\(port)"
        let change: (inout UpstreamServer.Options) -> Void = {
            $0.authorityFile = fixture.certificate
        }
        let smallRequest = try request(url, path: "/small.sse", change)
        let largeRequest = try request(url, path: "/large.sse", change)
        let first = Recorder()
        let cancelled = Recorder()
        let paused = Recorder()
        let third = Recorder()
        paused.keepsBytes = false
        var timings: [UpstreamTiming] = []
        try Harness.run { harness in
            var pausedTransfer: UpstreamTransfer?
            first.onEnd = { transfer in
                timings.append(transfer.timing)
                _ = try? harness.start(largeRequest, cancelled)
                pausedTransfer = try? harness.start(largeRequest, paused)
            }
            cancelled.onBytes = { transfer in
                guard cancelled.byteCount > 100_000, paused.byteCount > 0 else { return .proceed }
                transfer.cancel()
                _ = try? harness.start(smallRequest, third)
                return .proceed
            }
            var hasPaused = false
            paused.onBytes = { _ in
                defer { hasPaused = true }
                return hasPaused ? .proceed : .pause
            }
            third.onEnd = { transfer in
                timings.append(transfer.timing)
                #expect(paused.byteCount < large.utf8.count)
                pausedTransfer?.resume()
            }
            paused.onEnd = { transfer in
                timings.append(transfer.timing)
                harness.finish()
            }
            try harness.start(smallRequest, first)
        }
        #expect(first.text == "data: 1\n\n")
        #expect(first.isFinished)
        #expect(third.isFinished)
        #expect(paused.isFinished)
        #expect(paused.byteCount == large.utf8.count)
        #expect(cancelled.outcomes.isEmpty)
        #expect(timings.allSatisfy { $0.isHTTP2 })
        #expect(timings.map(\.isConnectionReused) == [false, true, true])
    }
}
