internal import Synchronization

/// Typed messages for one event loop, sent from any thread and handled on the loop in batches.
///
/// A burst of messages wakes the loop once. There is no limit inside: what is sent must be bounded by its
/// senders (credit, one message a command), and is.
///
/// `@unchecked Sendable`: `handler` and `taken` are touched on the loop's thread only.
package final class Mailbox<Message: Sendable>: @unchecked Sendable {
    private let loop: EventLoop
    private let pending = Mutex<[Message]>([])
    private var taken: [Message] = []
    private var handler: ((Message) -> Void)?

    /// Makes a mailbox whose messages are handled on `loop`.
    package init(loop: EventLoop) { self.loop = loop }

    /// Sets who handles the messages; loop thread only.
    ///
    /// Nil drops what comes from now on.
    package func setHandler(_ handler: ((Message) -> Void)?) {
        loop.assertOnLoop()
        self.handler = handler
    }

    /// Hands `message` to the loop, after those sent before; callable from any thread.
    package func send(_ message: Message) {
        let isFirst = pending.withLock { pending in
            pending.append(message)
            return pending.count == 1
        }
        if isFirst { loop.post { self.handlePending() } }
    }

    private func handlePending() {
        var batch: [Message] = []
        swap(&batch, &taken)
        pending.withLock { swap(&$0, &batch) }
        for message in batch { handler?(message) }
        batch.removeAll(keepingCapacity: true)
        taken = batch
    }
}
