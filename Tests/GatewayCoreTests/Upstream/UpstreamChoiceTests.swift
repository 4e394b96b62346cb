import Testing

@testable import GatewayCore

@Suite("Which upstreams a request may go to")
struct UpstreamChoiceTests {
    @Test("a search asks each upstream once, from the first on, and then ends")
    func search() {
        var asked: [Int?] = []
        var choice = UpstreamChoice.search(1, first: 1)
        repeat { asked.append(choice.member) } while choice.goOn(count: 3)
        #expect(asked == [1, 2, 0])
        #expect(choice.member == 0, "the last one's word counts")
    }

    @Test("a search among one is none")
    func alone() {
        var choice = UpstreamChoice.search(0, first: 0)
        let goesOn = choice.goOn(count: 1)
        #expect(!goesOn)
    }

    @Test("nothing else goes on", arguments: [UpstreamChoice.any, .only(0)])
    func fixed(choice: UpstreamChoice) {
        var copy = choice
        let goesOn = copy.goOn(count: 3)
        #expect(!goesOn)
        #expect(copy == choice)
    }

    @Test("only a response that upstream does not know may be elsewhere")
    func missing() {
        func failure(_ code: String?) -> AttemptFailure {
            AttemptFailure(
                .rejected, .final,
                ResponseError(
                    code: "upstream_http_status", message: "", isRetryable: false,
                    upstreamStatus: 400, upstreamCode: code))
        }
        #expect(failure("previous_response_not_found").isPreviousMissing)
        #expect(!failure("invalid_request_error").isPreviousMissing)
        #expect(!failure(nil).isPreviousMissing)
    }
}
