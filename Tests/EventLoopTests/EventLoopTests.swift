import GatewayCore
import Glibc
import Synchronization
import Testing

@testable import EventLoop

@Suite("An event loop")
struct EventLoopTests {
    @Test("runs posted work in order on its own thread and ends when closed")
    func runsPostedWork() throws {
        let loop = try EventLoop()
        let order = Mutex<[Int]>([])
        for number in 0..<100 {
            loop.post {
                #expect(loop.isOnLoop)
                order.withLock { $0.append(number) }
            }
        }
        loop.post { loop.close() }
        let thread = try LoopThread(name: "test-loop") { loop.run() }
        thread.join()
        #expect(order.withLock { $0 } == Array(0..<100))
        #expect(loop.destroy())
    }

    @Test(
        "fires timers in order of their deadlines, and a later deadline wins over an earlier one",
        arguments: [false, true])
    func firesTimers(allAreDue: Bool) throws {
        let loop = try EventLoop()
        var fired: [String] = []
        let first = loop.run(afterAdopting: {
            let late = loop.makeTimer {
                fired.append("late")
                loop.close()
            }
            let early = loop.makeTimer { fired.append("early") }
            let moved = loop.makeTimer { fired.append("moved") }
            let never = loop.makeTimer { fired.append("never") }
            let start = loop.now
            moved.arm(at: start + .milliseconds(1))
            moved.arm(at: start + .milliseconds(12))
            late.arm(at: start + .milliseconds(20))
            early.arm(at: start + .milliseconds(5))
            never.arm(at: start + .milliseconds(3))
            never.cancel()
            while allAreDue, Instant.monotonicNow() < start + .milliseconds(25) {}
        })
        #expect(first)
        #expect(fired == ["early", "moved", "late"])
    }

    @Test("lets go of timers that are still armed when it closes")
    func releasesArmedTimers() throws {
        final class Owner { var timer: LoopTimer? }
        let loop = try EventLoop()
        weak var released: Owner?
        let isClean = loop.run(afterAdopting: {
            let owner = Owner()
            released = owner
            let other = loop.makeTimer {}
            other.arm(after: .seconds(500))
            owner.timer = loop.makeTimer { [owner] in
                _ = owner
                other.cancel()
            }
            owner.timer?.arm(after: .seconds(600))
            owner.timer = nil
            loop.close()
        })
        #expect(isClean)
        #expect(released == nil)
    }

    @Test("delivers a mailbox's messages in order, once each")
    func deliversMail() throws {
        let loop = try EventLoop()
        let mailbox = Mailbox<Int>(loop: loop)
        let received = Mutex<[Int]>([])
        let thread = try LoopThread(name: "mail-loop") {
            loop.run(started: {
                mailbox.setHandler { message in
                    received.withLock { $0.append(message) }
                    if message == 9_999 { loop.close() }
                }
            })
        }
        for message in 0..<10_000 { mailbox.send(message) }
        thread.join()
        #expect(received.withLock { $0 } == Array(0..<10_000))
        #expect(loop.destroy())
    }

    @Test("what is posted after the end is dropped and does no harm")
    func postAfterEnd() throws {
        let loop = try EventLoop()
        loop.run(started: { loop.close() })
        loop.post { Issue.record("ran on a loop that has ended") }
        #expect(loop.destroy())
        loop.post { Issue.record("ran on a loop that is gone") }
    }

    @Test("after the process stood still, what came meanwhile counts before a deadline that passed")
    func readsBeforeItJudges() throws {
        let loop = try EventLoop()
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        var isMissed = false
        var watcher: FileDescriptorWatcher?
        loop.run(started: {
            let deadline = loop.makeTimer {
                isMissed = true
                loop.close()
            }
            watcher = try? FileDescriptorWatcher(loop: loop, descriptor: ends[0]) { _, _ in
                deadline.cancel()
                watcher?.close()
                watcher = nil
                loop.close()
            }
            watcher?.watch(.readable)
            deadline.arm(after: .milliseconds(20))
            #expect(write(ends[1], "x", 1) == 1)
            // As for a process that is stopped: nothing else runs on this thread.
            let end = Instant.monotonicNow() + .milliseconds(500)
            while Instant.monotonicNow() < end {}
        })
        #expect(!isMissed)
        #expect(loop.destroy())
    }
}

extension EventLoop {
    /// Runs the loop on this thread until it is closed and says whether it left nothing behind.
    fileprivate func run(afterAdopting body: () -> Void) -> Bool {
        run(started: body)
        return destroy()
    }
}
