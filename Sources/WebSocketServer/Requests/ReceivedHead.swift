/// A request whose head has come, and why it is not taken where that can be told by the head alone.
final class ReceivedHead {
    let request: HTTPRequest
    let refusal: HTTPResponse?

    init(_ head: IncomingHead, _ end: IncomingHead.End, remoteAddress: String, subprotocol: String)
    {
        do throws(RequestFault) {
            if case .failed(let fault) = end { throw fault }
            request = try HTTPRequest(head.bytes, remoteAddress: remoteAddress)
            refusal =
                request.isUpgrade
                ? OpeningHandshake.fault(of: request, subprotocol: subprotocol) : nil
        } catch {
            request = HTTPRequest(unreadableFrom: remoteAddress)
            refusal = error.response
        }
    }
}
