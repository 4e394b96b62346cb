internal import CLibwebsockets
internal import Synchronization

/// Everything the library calls comes in here, on the thread of the context's loop.
///
/// The server outlives its context: it is the context's `user`, and destroys it before it goes.
private func serverCallback(
    _ wsi: OpaquePointer?, _ reason: lws_callback_reasons, _ user: UnsafeMutableRawPointer?,
    _ input: UnsafeMutableRawPointer?, _ length: Int
) -> Int32 {
    switch reason {
    case LWS_CALLBACK_PROTOCOL_INIT, LWS_CALLBACK_PROTOCOL_DESTROY,
        LWS_CALLBACK_EVENT_WAIT_CANCELLED, LWS_CALLBACK_GET_THREAD_ID,
        LWS_CALLBACK_ADD_POLL_FD, LWS_CALLBACK_DEL_POLL_FD, LWS_CALLBACK_CHANGE_MODE_POLL_FD,
        LWS_CALLBACK_LOCK_POLL, LWS_CALLBACK_UNLOCK_POLL, LWS_CALLBACK_WSI_CREATE:
        return 0
    default:
        guard let wsi, let context = lws_get_context(wsi), let owner = lws_context_user(context)
        else { return 0 }
        let server = Unmanaged<WebSocketServer>.fromOpaque(owner).takeUnretainedValue()
        return server.handle(wsi, reason, input, length)
    }
}

/// C tables that the library keeps pointers to: allocated once, never changed, never freed.
enum LibraryTables {
    /// No pings and no idle timers of the library's own: its timer list is linear in the sockets.
    nonisolated(unsafe) static let noTimers: UnsafePointer<lws_retry_bo_t> = {
        let policy = UnsafeMutablePointer<lws_retry_bo_t>.allocate(capacity: 1)
        policy.initialize(to: lws_retry_bo_t())
        return UnsafePointer(policy)
    }()

    nonisolated(unsafe) static let alpn = constant("http/1.1")
    nonisolated(unsafe) static let vhostName = constant("millrace")

    /// Incoming messages are handed on in pieces of this size, and each socket holds that much: what clients
    /// send is short, and a long message only comes in more pieces (decision 54).
    private static let receiveBufferBytes = 512

    private static let tables = Mutex<[String: UInt]>([:])

    /// A protocol list with one entry, for plain requests and WebSockets alike.
    static func protocols(named name: String) -> UnsafePointer<lws_protocols>? {
        // Kept as an address, since a pointer is not Sendable; the memory is never freed.
        let address = tables.withLock { tables in
            if let known = tables[name] { return known }
            let list = UnsafeMutablePointer<lws_protocols>.allocate(capacity: 2)
            list.initialize(repeating: lws_protocols(), count: 2)
            list[0].name = constant(name)
            list[0].callback = serverCallback
            list[0].rx_buffer_size = receiveBufferBytes
            list[0].tx_packet_size = 1 << 30  // A frame is never cut by the library.
            let address = UInt(bitPattern: list)
            tables[name] = address
            return address
        }
        return UnsafePointer(bitPattern: address)
    }

    private static func constant(_ text: String) -> UnsafePointer<CChar> {
        let bytes = text.utf8CString
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        for (index, byte) in bytes.enumerated() { copy[index] = byte }
        return UnsafePointer(copy)
    }
}
