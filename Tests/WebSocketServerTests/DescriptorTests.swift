import EventLoop
import GatewayCore
import Glibc
import Testing

@testable import WebSocketServer

@Suite("Descriptors of a server that ends", .serialized)
struct DescriptorTests {
    private final class NoHandler: ServerHandler {
        func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
            .refuse(.error(501, "none", "none"))
        }
        func respond(to exchange: HTTPExchange) {}
    }

    @Test("what others open while a server ends stays open")
    func othersStayOpen() throws {
        for _ in 0..<20 {
            let handler = NoHandler()
            let loop = try EventLoop()
            var server: WebSocketServer?
            // As many as take every number that is free, the library's own among them.
            var others: [Int32] = []
            loop.run(started: {
                do {
                    let made = try WebSocketServer(
                        loop: loop, options: ServerOptions(), handler: handler)
                    server = made
                    made.destroy()
                    for _ in 0..<64 { others.append(fcntl(2, F_DUPFD_CLOEXEC, 0)) }
                } catch {
                    Issue.record(error)
                }
                loop.close()
            })
            let lost = others.filter { fcntl($0, F_GETFD) < 0 }
            #expect(lost.isEmpty, "closed behind their owner's back")
            for other in others where !lost.contains(other) { Glibc.close(other) }
            server?.finishDestroying()
            #expect(loop.destroy())
        }
    }
}
