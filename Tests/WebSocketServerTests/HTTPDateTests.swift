import Testing

@testable import WebSocketServer

@Suite struct HTTPDateTests {
    @Test("dates are HTTP's")
    func writes() {
        #expect(HTTPDate.text(unixSeconds: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.text(unixSeconds: 1_709_164_800) == "Thu, 29 Feb 2024 00:00:00 GMT")
    }

    @Test("a response's date is of its second")
    func changes() {
        var clock = ResponseClock()
        for second in [784_111_777, 784_111_777, 784_111_778] {
            #expect(clock.text(unixSeconds: second) == HTTPDate.text(unixSeconds: second))
        }
    }
}
