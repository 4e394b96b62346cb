internal import EventLoop
internal import GatewayCore
package import WebSocketServer

/// Sends one streamed body over one HTTP exchange; belongs to the loop's thread.
///
/// Writes at once while the socket is clear, several events in one piece when several are due, and sleeps
/// until the next is due otherwise.
package final class StreamingExchange: HTTPExchangeObserver {
    /// Bytes gathered into one write.
    private static let pieceBytes = 32 << 10
    /// Writes in a row before other sockets have their turn.
    private static let maximumWritesPerTurn = 8

    private let exchange: HTTPExchange
    private unowned let core: SimulatorCore
    private var body: ResponseBody
    private let chunking: Chunking
    private let startedAt: UInt64
    /// Whether every event needs a clock reading of its own.
    private let readsClockOften: Bool
    private var random: SeededRandom
    private var frame = OutgoingFrame()
    private var timer: LoopTimer?
    /// Everything is framed here and written past the server's own framing.
    private var isUnframed = false
    private var ending: ResponseBody.Step?
    /// What has become of the terminal event.
    private enum Terminal { case toCome, inFrame, sent }
    private var terminal = Terminal.toCome
    private var isOver = false
    /// Called before the terminal event is sent: who has read it may ask for the response at once.
    package var onTerminal: ((ResponseStream?) -> Void)?
    /// Called once, whichever way it ends.
    package var onEnd: (() -> Void)?
    package let responseID: String

    package init(
        exchange: HTTPExchange, core: SimulatorCore, body: ResponseBody, responseID: String,
        startedAt: UInt64, random: SeededRandom
    ) {
        self.exchange = exchange
        self.core = core
        self.body = body
        self.responseID = responseID
        self.startedAt = startedAt
        self.random = random
        chunking = core.options.chunking
        readsClockOften = body.source.stream?.echo.request.wantsTimestamps ?? false
    }

    /// Sends the head and whatever is due.
    func start(headers: [(String, String)]) {
        register()
        exchange.begin(status: 200, headers: headers, length: .chunked)
        pump()
    }

    /// Sends the body after a head that has gone out by hand.
    func startUnframed() {
        register()
        isUnframed = true
        pump()
    }

    private func register() {
        exchange.observer = self
        core.hold(self)
        core.statistics.streamsStarted += 1
        core.statistics.openStreams += 1
        // The timer keeps this object until `conclude`, which every way out goes through.
        timer = core.loop.makeTimer { [self] in pump() }
    }

    /// Sends what is due; called when something may have become so.
    func pump() {
        guard !isOver else { return }
        for _ in 0..<Self.maximumWritesPerTurn {
            let isWaiting = fill()
            // Where a write has failed, `exchangePeerClosed` follows.
            guard flush(), exchange.isOpen else { return }
            if let ending {
                finish(ending)
                return
            }
            if isWaiting { return }
        }
        exchange.askForWritable()
    }

    /// Appends due events to the frame; true when the next has to be waited for.
    private func fill() -> Bool {
        var moment = core.moment
        while frame.count < Self.pieceBytes, ending == nil {
            if readsClockOften { moment.monotonic = core.monotonic }
            let due = startedAt &+ body.nextDue
            if due > moment.monotonic {
                timer?.arm(at: .init(nanoseconds: Int64(clamping: due)))
                return true
            }
            switch body.next(into: &frame.bytes, at: moment) {
            case .event(let event):
                core.statistics.events += 1
                if event == .terminal, terminal == .toCome {
                    terminal = .inFrame
                    onTerminal?(body.source.stream)
                }
            case .notYet: return true
            case .end: ending = .end
            case .drop: ending = .drop
            case .reset: ending = .reset
            case .stall: ending = .stall
            }
        }
        return false
    }

    /// Gives the frame to the kernel; false when that must wait.
    private func flush() -> Bool {
        guard !frame.isEmpty else { return true }
        let count = frame.count
        if isUnframed || chunking != .natural {
            guard exchange.isClear else {
                exchange.askForWritable()
                return false
            }
            var chunks: [UInt8] = []
            chunking.encode(frame.bytes[OutgoingFrame.headroom...], &random, into: &chunks)
            exchange.writeUnframed(chunks)
        } else if !exchange.write(&frame) {
            return false
        }
        core.statistics.bytes += count
        if terminal == .inFrame, exchange.isOpen { terminal = .sent }
        frame.removeAll(keepingAtMost: 2 * Self.pieceBytes)
        return true
    }

    private func finish(_ ending: ResponseBody.Step) {
        switch ending {
        case .stall:
            core.statistics.streamsCutByFault += 1
            return  // Held open until the peer leaves.
        case .reset, .drop:
            guard exchange.isClear else {
                exchange.askForWritable()
                return
            }
            core.statistics.streamsCutByFault += 1
            conclude()
            exchange.abort(reset: ending == .reset)
        case .end, .event, .notYet:
            if terminal == .sent {
                core.statistics.streamsCompleted += 1
            } else if body.hasStruck {
                core.statistics.streamsCutByFault += 1
            }
            conclude()
            if isUnframed {
                exchange.writeUnframed(Array("0\r\n\r\n".utf8))
                exchange.abort(reset: false)
            } else {
                exchange.end()
            }
        }
    }

    private func conclude() {
        isOver = true
        timer?.cancel()
        timer = nil
        exchange.observer = nil
        core.statistics.openStreams -= 1
        core.release(self)
        onEnd?()
    }

    package func exchangeIsClear(_ exchange: HTTPExchange) { pump() }

    package func exchangePeerClosed(_ exchange: HTTPExchange) {
        guard !isOver else { return }
        if terminal != .sent {
            core.statistics.note(
                Statistics.Cancellation(
                    responseID: responseID, startedAt: startedAt, detectedAt: core.monotonic,
                    events: body.eventCount, bytes: body.byteCount))
        } else if ending != .stall {
            // It has all it waited for, and need not wait for the body's end.
            core.statistics.streamsCompleted += 1
        }
        conclude()
    }
}
