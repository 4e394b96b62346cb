internal import CLibuv

extension EventLoop {
    /// The descriptors that are watched on the loop now, by whomever; loop thread only.
    package var watchedDescriptors: Set<Int32> {
        assertOnLoop()
        let found = Descriptors()
        uv_walk(raw, noteDescriptor, Unmanaged.passUnretained(found).toOpaque())
        return found.all
    }
}

private final class Descriptors {
    var all: Set<Int32> = []
}

/// The context outlives the walk, which calls back before it returns.
private func noteDescriptor(
    _ handle: UnsafeMutablePointer<uv_handle_t>?, _ context: UnsafeMutableRawPointer?
) {
    guard let handle, let context, uv_handle_get_type(handle) == UV_POLL else { return }
    var descriptor: Int32 = -1
    guard uv_fileno(handle, &descriptor) == 0 else { return }
    Unmanaged<Descriptors>.fromOpaque(context).takeUnretainedValue().all.insert(descriptor)
}
