internal import CEpoll
internal import Glibc

/// Reads a process's CPU time and memory from /proc.
package struct ProcessSampler {
    package struct Reading: Equatable {
        package let cpuSeconds: Double
        package let residentBytes: Int
    }

    private let pid: Int32
    private let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
    private let pageBytes = sysconf(Int32(_SC_PAGESIZE))

    package init(pid: Int32) { self.pid = pid }

    /// All threads together; `nil` once the process is gone.
    package func read() -> Reading? {
        guard let stat = try? FileAccess.read("/proc/\(pid)/stat", maximumBytes: 4_096) else {
            return nil
        }
        // The name, in brackets, may hold spaces: count from behind it.
        guard let bracket = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = stat[(bracket + 1)...].split(separator: 0x20).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]),
            let pages = Int(fields[21])
        else { return nil }
        return Reading(
            cpuSeconds: preciseSeconds ?? (user + system) / ticksPerSecond,
            residentBytes: pages * pageBytes)
    }

    /// `schedstat` of each thread counts nanoseconds where `stat` counts hundredths.
    private var preciseSeconds: Double? {
        guard let directory = opendir("/proc/\(pid)/task") else { return nil }
        defer { closedir(directory) }
        var nanoseconds = 0.0
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard Int(name) != nil else { continue }
            let path = "/proc/\(pid)/task/\(name)/schedstat"
            guard let text = try? FileAccess.read(path, maximumBytes: 256),
                let first = text.split(separator: 0x20).first,
                let value = Double(String(decoding: first, as: UTF8.self))
            else { return nil }
            nanoseconds += value
        }
        return nanoseconds / 1e9
    }

    /// This process's own CPU time.
    package static var ownCPUSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
