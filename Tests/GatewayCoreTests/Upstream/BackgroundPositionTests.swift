import Testing

@testable import GatewayCore

@Suite("Where a background response is in its stream")
struct BackgroundPositionTests {
    @Test("numbers: what follows the last one is asked for, and what comes again is known")
    func numbers() {
        var position = BackgroundPosition()
        #expect(position.path == nil)
        var path = position.reattach()
        #expect(path == nil)
        let names = ["resp_1", "resp_2"].map { position.name($0) }
        #expect(names == [true, false], "the first name counts")
        let news = (0..<2).map { _ in position.takeNewName() }
        #expect(news == ["resp_1", nil], "it is news once")
        for number: Int64 in [0, 1, 2] { position.take(number) }
        path = position.reattach()
        #expect(path == "/responses/resp_1?stream=true&starting_after=2")
        let isRepeated = ([1, 2, 3] as [Int64]).map { position.isRepeated($0) }
        #expect(isRepeated == [true, true, false])
        #expect(position.path == "/responses/resp_1")
    }

    @Test("no numbers: the stream comes from its beginning, and what was taken is left out")
    func places() {
        var position = BackgroundPosition(id: "resp_1")
        let news = position.takeNewName()
        #expect(news == nil, "a name that was there before is no news")
        let first = (0..<2).map { _ in position.isRepeated(nil) }
        #expect(first == [false, false])
        for _ in 0..<2 { position.take(nil) }
        let path = position.reattach()
        #expect(path == "/responses/resp_1?stream=true")
        let again = (0..<3).map { _ in position.isRepeated(nil) }
        #expect(again == [true, true, false])
    }

    @Test("a name is one segment of a path, and neither empty nor longer than a token carries")
    func names() {
        #expect(BackgroundPosition.path(of: "a/b?c%d é") == "/responses/a%2Fb%3Fc%25d%20%C3%A9")
        let limit = ResumeClaims.maximumResponseBytes
        for (length, isTaken) in [
            (0, false), (1, true), (limit - 1, true), (limit, true), (limit + 1, false),
        ] {
            var position = BackgroundPosition()
            let taken = position.name(String(repeating: "a", count: length))
            #expect(taken == isTaken, "\(length)")
        }
    }

    @Test("what a failure says to the breaker, and to everybody else")
    func failures() {
        let error = ResponseError(code: "c", message: "m", isRetryable: true)
        for (reason, outcome, pauses) in [
            (AttemptFailure.Reason.unreachable, CircuitBreaker.Outcome.unreachable, false),
            (.tls, .unreachable, false), (.timeout, .failure, false), (.cut, .failure, false),
            (.invalid, .failure, false), (.serverError, .failure, true),
            (.rateLimited, .neutral, true), (.conflict, .neutral, false),
            (.notStreaming, .neutral, false), (.rejected, .neutral, false),
        ] {
            let failure = AttemptFailure(reason, .again, error, retryAfter: .seconds(1))
            #expect(failure.breakerOutcome(isAlone: true) == outcome, "\(reason)")
            #expect(failure.breakerOutcome(isAlone: false) == outcome, "\(reason)")
            #expect(failure.pauseForAll == (pauses ? .seconds(1) : nil), "\(reason)")
        }
        let refused = AttemptFailure(.refused, .elsewhere, error)
        #expect(refused.breakerOutcome(isAlone: true) == .neutral)
        #expect(refused.breakerOutcome(isAlone: false) == .failure)
    }
}
