import EventLoop
import Glibc
import Testing

@Suite("A process without descriptors")
struct DescriptorLimitTests {
    @Test("an event loop that cannot be made says so, and frees what it took once")
    func cannotBeMade() async {
        // In a process of its own: the limit is one of the whole process.
        await #expect(processExitsWith: .success) {
            // What libuv makes once for the process it needs: without a descriptor for that it ends the process.
            let first = try EventLoop()
            first.run { first.close() }
            #expect(first.destroy())
            var limit = rlimit()
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            getrlimit(resource, &limit)
            let usual = limit.rlim_cur
            limit.rlim_cur = rlim_t(dup(0))
            setrlimit(resource, &limit)
            // The allocator notices at the latest when the memory is used again.
            for _ in 0..<8 {
                // Another thread of the process may have closed one since.
                while dup(0) >= 0 {}
                #expect(throws: EventLoopError.self) { try EventLoop() }
            }
            // A sanitizer that looks for leaks at the end opens files.
            limit.rlim_cur = usual
            setrlimit(resource, &limit)
        }
    }
}
