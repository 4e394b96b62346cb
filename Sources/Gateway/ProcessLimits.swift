import Configuration
import Glibc

/// What the process asks the system for before anything else starts.
enum ProcessLimits {
    /// Sets the limit of open files to what the configuration needs.
    ///
    /// Down as well as up: libwebsockets fills a table of that many entries at start, gigabytes where a
    /// container's limit is "infinity".
    static func raiseOpenFiles(_ server: ServerConfiguration) throws(GatewayStartError) {
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
