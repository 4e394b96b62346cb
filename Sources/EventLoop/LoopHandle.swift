internal import CLibuv

/// Owns one libuv handle (`uv_poll_t`, `uv_idle_t`, …): closed once, at the end of this value's life.
///
/// libuv goes on using the memory until its close callback, which frees it. Belongs to the loop's thread.
struct LoopHandle<Raw>: ~Copyable {
    let raw: UnsafeMutablePointer<Raw>

    /// Initialises a handle whose callbacks find `owner` with `owner(of:)`; `call` names `initialize` in errors.
    ///
    /// The owner holds this value, so it outlives every callback: none comes after `uv_close`.
    init(
        of owner: AnyObject, _ call: StaticString,
        initialize: (UnsafeMutablePointer<Raw>) -> Int32
    ) throws(EventLoopError) {
        let memory = UnsafeMutablePointer<Raw>.allocate(capacity: 1)
        let status = initialize(memory)
        guard status == 0 else {
            memory.deallocate()
            throw EventLoopError(call: "\(call)", status: status)
        }
        raw = memory
        generic.pointee.data = Unmanaged.passUnretained(owner).toOpaque()
    }

    deinit {
        generic.pointee.data = nil
        uv_close(generic) { handle in UnsafeMutableRawPointer(handle)?.deallocate() }
    }

    /// Does not keep the loop running on its own.
    func unreference() { uv_unref(generic) }

    /// What all kinds of handle begin with.
    private var generic: UnsafeMutablePointer<uv_handle_t> {
        UnsafeMutableRawPointer(raw).assumingMemoryBound(to: uv_handle_t.self)
    }

    /// The owner of the handle that a callback is about.
    static func owner<Owner: AnyObject>(
        of raw: UnsafeMutablePointer<Raw>?, as type: Owner.Type = Owner.self
    ) -> Owner? {
        guard let raw,
            let data = UnsafeMutableRawPointer(raw).assumingMemoryBound(to: uv_handle_t.self)
                .pointee.data
        else { return nil }
        return Unmanaged<Owner>.fromOpaque(data).takeUnretainedValue()
    }
}
