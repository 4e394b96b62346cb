internal import CLibcurl

// What libcurl calls, on the loop's thread: each finds the owner of the handle and hands it the call.

// MARK: Of a worker
// The context is the worker, unretained: it frees the multi handle before it goes.

func workerSocketChanged(
    _ easy: UnsafeMutableRawPointer?, _ descriptor: curl_socket_t, _ what: Int32,
    _ context: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?
) -> Int32 {
    if let context {
        Unmanaged<UpstreamWorker>.fromOpaque(context).takeUnretainedValue()
            .socketChanged(easy, descriptor, what)
    }
    return 0
}

func workerTimerChanged(
    _: UnsafeMutableRawPointer?, _ milliseconds: Int, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    if let context {
        Unmanaged<UpstreamWorker>.fromOpaque(context).takeUnretainedValue()
            .timerChanged(milliseconds)
    }
    return 0
}

func workerCloseSocket(
    _ context: UnsafeMutableRawPointer?, _ descriptor: curl_socket_t
) -> Int32 {
    guard let context else { return -1 }
    return Unmanaged<UpstreamWorker>.fromOpaque(context).takeUnretainedValue().close(descriptor)
}

// MARK: Of a transfer
// The context is the transfer, unretained: the worker holds it until libcurl has given the handle back.

private func transfer(_ context: UnsafeMutableRawPointer?) -> UpstreamTransfer? {
    context.map { Unmanaged<UpstreamTransfer>.fromOpaque($0).takeUnretainedValue() }
}

func transferSocket(
    _ context: UnsafeMutableRawPointer?, _: curlsocktype,
    _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let transfer = transfer(context), let address else { return -1 }
    return transfer.makeSocket(address.pointee)
}

func transferReady(
    _ context: UnsafeMutableRawPointer?, _: UnsafeMutablePointer<CChar>?,
    _: UnsafeMutablePointer<CChar>?, _: Int32, _: Int32
) -> Int32 {
    transfer(context)?.ready() == true ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}

func transferHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    let line = borrowed(bytes, size * count)
    return transfer(context)?.receive(headerLine: line) == true ? line.count : 0
}

func transferBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    transfer(context)?.receive(body: borrowed(bytes, size * count)) ?? 0
}

func transferUpload(
    _ room: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let transfer = transfer(context), let room else { return MILLRACE_READ_ABORT }
    return room.withMemoryRebound(to: UInt8.self, capacity: size * count) { bytes in
        transfer.provide(UnsafeMutableBufferPointer(start: bytes, count: size * count))
    }
}

private func borrowed(
    _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int
) -> UnsafeBufferPointer<UInt8> {
    let start = UnsafeRawPointer(bytes)?.assumingMemoryBound(to: UInt8.self)
    return UnsafeBufferPointer(start: start, count: start == nil ? 0 : count)
}
