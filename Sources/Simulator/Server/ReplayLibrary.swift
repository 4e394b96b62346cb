internal import Glibc

/// The recorded bodies that `--replay` named, read once at start.
package struct ReplayLibrary: Sendable {
    /// Why a recording could not be read.
    package struct Failure: Error, CustomStringConvertible {
        package let path: String
        package let reason: String

        package var description: String { "cannot read '\(path)': \(reason)" }
    }

    /// All recordings together.
    package static let maximumBytes = 256 << 20

    private var single: RecordedStream?
    private var named: [String: RecordedStream] = [:]
    private var byteCount = 0

    /// Reads a file, or every `.sse` and `.txt` file of a directory.
    package init(path: String) throws(Failure) {
        guard let directory = opendir(path) else {
            single = RecordedStream(try read(path))
            return
        }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            for suffix in [".sse", ".txt"] where name.hasSuffix(suffix) && name != suffix {
                let bytes = try read(path + "/" + name)
                named[String(name.dropLast(suffix.count))] = RecordedStream(bytes)
            }
        }
        guard !named.isEmpty else {
            throw Failure(path: path, reason: "the directory holds no .sse or .txt file")
        }
    }

    /// The recording for `request`: the only one, or the one that `[sim:replay=NAME]` or the model names.
    package func recording(for request: ResponseRequest) -> RecordedStream? {
        if let single { return single }
        if let name = request.directives["replay"] { return named[name] }
        return named[request.model]
    }

    private mutating func read(_ path: String) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure(path: path, reason: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count >= 0 else {
                throw Failure(path: path, reason: String(cString: strerror(errno)))
            }
            if count == 0 { break }
            bytes.append(contentsOf: buffer[..<count])
            byteCount += count
            guard byteCount <= Self.maximumBytes else {
                throw Failure(
                    path: path, reason: "recordings exceed \(Self.maximumBytes) bytes in all")
            }
        }
        return bytes
    }
}
