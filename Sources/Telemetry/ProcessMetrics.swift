import Glibc

/// Numbers about the process itself, read when somebody asks.
package enum ProcessMetrics {
    /// Adds the `process_…` metrics, `gateway_build_info` and `gateway_log_dropped_lines_total`.
    package static func register(in registry: MetricRegistry, version: String, logger: Logger) {
        registry.observe(
            "gateway_build_info", "Always 1; the label says which build runs.", .gauge,
            label: (name: "version", value: version)
        ) { 1 }
        registry.observe(
            "gateway_log_dropped_lines_total", "Log lines lost because nobody read them.", .counter
        ) { Double(logger.droppedLines) }
        registry.observe(
            "process_cpu_seconds_total", "User and system CPU time.", .counter
        ) { cpuSeconds }
        registry.observe(
            "process_resident_memory_bytes", "Resident memory.", .gauge
        ) { memoryPages(field: 1).map { $0 * Double(sysconf(Int32(_SC_PAGESIZE))) } }
        registry.observe(
            "process_virtual_memory_bytes", "Virtual memory.", .gauge
        ) { memoryPages(field: 0).map { $0 * Double(sysconf(Int32(_SC_PAGESIZE))) } }
        registry.observe("process_open_fds", "Open file descriptors.", .gauge) { openDescriptors }
        registry.observe("process_max_fds", "Limit of open file descriptors.", .gauge) {
            maximumDescriptors
        }
        registry.observe(
            "process_start_time_seconds", "Start, in seconds since 1970.", .gauge
        ) { startTime }
        registry.observe("process_threads", "Threads.", .gauge) { statField(20) }
    }

    private static var cpuSeconds: Double? {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return nil }
        return [usage.ru_utime, usage.ru_stime].reduce(0) {
            $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6
        }
    }

    private static func memoryPages(field: Int) -> Double? {
        let fields = read("/proc/self/statm")?.split(separator: " ") ?? []
        return field < fields.count ? Double(fields[field]) : nil
    }

    private static var openDescriptors: Double? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Without ".", ".." and the directory itself.
        return Double(count - 3)
    }

    private static var maximumDescriptors: Double? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return nil
        }
        return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
    }

    private static var startTime: Double? {
        guard let ticks = statField(22) else { return nil }
        var boot = timespec()
        var wall = timespec()
        clock_gettime(CLOCK_BOOTTIME, &boot)
        clock_gettime(CLOCK_REALTIME, &wall)
        let age = seconds(boot) - ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        // To hundredths, which is what a tick is: the same number at every scrape.
        return ((seconds(wall) - age) * 100).rounded() / 100
    }

    private static func seconds(_ time: timespec) -> Double {
        Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// A field of `/proc/self/stat`, counted from 1 as in proc(5); from the third on.
    private static func statField(_ number: Int) -> Double? {
        guard let text = read("/proc/self/stat"), let end = text.lastIndex(of: ")") else {
            return nil
        }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return number - 3 < fields.count ? Double(fields[number - 3]) : nil
    }

    private static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
