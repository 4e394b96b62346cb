import Configuration
import Glibc

/// What the process asks the system for before anything else starts.
enum ProcessLimits {
    /// Sets the limit of open files to what the configuration needs.
    ///
    /// Down as well as up: libwebsockets fills a table of that many entries at start, gigabytes where a
    /// container's limit is "infinity".
    static func adjustOpenFiles(
        _ server: ServerConfiguration, shards: Int
    ) throws(GatewayStartError) {
        try setOpenFiles(server)
        growDescriptorTable()
        // libwebsockets crashes where it finds none left while it starts: a shard takes 17 there, the process 11.
        let needed = rlim_t(16 + 20 * shards)
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
            limit.rlim_cur < needed
        else { return }
        throw GatewayStartError(
            "server.open_files: the limit of open files is \(limit.rlim_cur), \(shards) shards need "
                + "\(needed) or more")
    }

    /// Has the kernel make its table of descriptors as large as it may become, while there is one thread.
    ///
    /// Later each doubling waits for all CPUs (`synchronize_rcu` in the kernel's `expand_fdtable`): a thread that
    /// accepts the 65th, 129th, … connection stood still for some 10 ms.
    private static func growDescriptorTable() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
            limit.rlim_cur > 0
        else { return }
        let highest = fcntl(
            STDERR_FILENO, F_DUPFD_CLOEXEC, Int32(clamping: limit.rlim_cur - 1))
        if highest >= 0 { close(highest) }
    }

    /// Makes sure of the device that libwebsockets reads random bytes from; it crashes without.
    static func requireRandomDevice() throws(GatewayStartError) {
        guard access("/dev/urandom", R_OK) != 0 else { return }
        throw GatewayStartError("/dev/urandom: \(String(cString: strerror(errno)))")
    }

    private static func setOpenFiles(_ server: ServerConfiguration) throws(GatewayStartError) {
        // A connection may have an upstream socket beside it; the rest is listeners, pipes, files.
        let wanted = rlim_t(server.openFiles ?? 2 * server.connections + 1024)
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_max = max(limit.rlim_max, wanted)
        limit.rlim_cur = wanted
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 { return }
        // Not allowed to raise the hard limit: as far as it goes.
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = min(wanted, limit.rlim_max)
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            throw GatewayStartError(
                "server.open_files: cannot set the limit of open files: \(String(cString: strerror(errno)))"
            )
        }
    }
}
