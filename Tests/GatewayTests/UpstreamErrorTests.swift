import GatewayCore
import Testing
import Upstream

@testable import Gateway

@Suite("A request that could not be handed to upstream")
struct UpstreamErrorTests {
    @Test(
        "tells what may pass from what is as bad the next time",
        arguments: [
            (.tooManyTransfers(limit: 1), "overloaded", true, 503, "server_is_overloaded"),
            (.shutDown, "draining", true, 503, "server_is_overloaded"),
            (
                .libraryFailed(call: "call", reason: "memory"), "internal_error", true, 502,
                "internal_error"
            ),
            (.loopFailed("descriptors"), "internal_error", true, 502, "internal_error"),
            (.invalid("path: why"), "internal_error", false, 400, "invalid_value"),
        ] as [(UpstreamError, String, Bool, Int, String)])
    func tellsWhatMayPass(
        error: UpstreamError, code: String, isRetryable: Bool, status: Int,
        dialectCode: String
    ) {
        let response = ResponseError(error)
        #expect(response.code == code)
        #expect(response.isRetryable == isRetryable)
        let dialect = DialectError(error)
        #expect(dialect.status == status)
        #expect(dialect.code == dialectCode)
        #expect((dialect.headers["retry-after"] != nil) == (status == 503))
    }
}
