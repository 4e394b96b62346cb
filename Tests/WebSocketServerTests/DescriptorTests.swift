import EventLoop
import GatewayCore
import Glibc
import Synchronization
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
            // As many as would take the library's own number, were it free.
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

    @Test("a listener that is closed twice closes its own descriptor, once")
    func listenerClosedTwice() throws {
        let loop = try EventLoop()
        var other: Int32 = -1
        loop.run(started: {
            do {
                let listener = try Listener(
                    loop: loop, host: "127.0.0.1", port: 0, isShared: false, backlog: 1,
                    accepted: { Glibc.close($0) })
                let number = listener.descriptor
                listener.close()
                // Somebody else gets its number, unless another test was quicker.
                other = fcntl(2, F_DUPFD_CLOEXEC, number)
                listener.close()
            } catch {
                Issue.record(error)
            }
            loop.close()
        })
        #expect(loop.destroy())
        #expect(fcntl(other, F_GETFD) >= 0, "closed behind its owner's back")
        Glibc.close(other)
    }

    @Test("the descriptor that the library closes twice is closed once, when the loop runs out")
    func closedOnce() throws {
        let handler = NoHandler()
        let loop = try EventLoop()
        var server: WebSocketServer?
        var watched: Set<Int32> = []
        loop.run(started: {
            do {
                let before = loop.watchedDescriptors
                let made = try WebSocketServer(
                    loop: loop, options: ServerOptions(), handler: handler)
                server = made
                watched = loop.watchedDescriptors.subtracting(before)
                made.destroy()
                #expect(watched.count == 1)
                // Whatever other threads do now, its number is not to be had.
                for descriptor in watched { #expect(fcntl(descriptor, F_GETFD) >= 0) }
            } catch {
                Issue.record(error)
            }
            loop.close()
        })
        server?.finishDestroying()
        #expect(loop.destroy())
    }

    @Test("what other threads open meanwhile stays open")
    func othersOfThreadsStayOpen() throws {
        let handler = NoHandler()
        let loop = try EventLoop()
        var servers: [WebSocketServer] = []
        var threads: [LoopThread] = []
        let isDone = Atomic<Bool>(false)
        let lost = Atomic<Int>(0)
        loop.run(started: {
            do {
                // From before the first server on: the numbers of the servers are among theirs.
                for _ in 0..<2 {
                    threads.append(
                        try LoopThread(name: "opener") {
                            while !isDone.load(ordering: .relaxed) {
                                let others = (0..<20).map { _ in fcntl(2, F_DUPFD_CLOEXEC, 0) }
                                for other in others where other >= 0 && Glibc.close(other) < 0 {
                                    lost.add(1, ordering: .relaxed)
                                }
                            }
                        })
                }
                for _ in 0..<100 {
                    servers.append(
                        try WebSocketServer(loop: loop, options: ServerOptions(), handler: handler))
                }
            } catch {
                Issue.record(error)
            }
            for server in servers { server.destroy() }
            loop.close()
        })
        for server in servers { server.finishDestroying() }
        isDone.store(true, ordering: .relaxed)
        for thread in threads { thread.join() }
        #expect(loop.destroy())
        #expect(lost.load(ordering: .relaxed) == 0, "closed behind their owner's back")
    }
}
