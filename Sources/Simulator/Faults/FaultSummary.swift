extension Fault.Kind {
    /// What it does, in one line of docs/simulator.md.
    package var summary: String {
        switch self {
        case .status: "answers `status=` (500) with an error body instead of a response"
        case .silent: "takes the request and never answers"
        case .refuse: "resets the connection instead of answering"
        case .close: "closes the connection instead of answering"
        case .slowHeaders: "sends the response's head byte by byte, `ms=` (10) apart"
        case .delay: "answers after `ms=` (1000)"
        case .redirect: "answers `status=` (307) with `location=` (the same path)"
        case .refuseStream: "answers 400 to `stream: true`, and others as usual"
        case .contentType: "calls the stream `text/html`"
        case .httpGarbage: "answers with bytes that are not HTTP, and closes"
        case .stall: "falls silent, for ever or for `ms=`"
        case .reset: "resets the connection"
        case .cut: "ends the body in an orderly way, without a terminal event"
        case .drop: "closes the connection without the body's end"
        case .cutCharacter: "ends the body inside a character of a delta"
        case .noTerminal: "leaves out the terminal event, whatever `after=` says"
        case .error: "sends a nested `error` event, then `response.failed`"
        case .errorFlat: "sends a flat `error` event, then `response.failed`"
        case .errorOnly: "sends a nested `error` event and ends"
        case .truncatedJSON: "cuts the JSON of one event, then goes on"
        case .garbage: "sends 512 random bytes, then goes on"
        case .invalidUTF8: "sends a delta that is not UTF-8, then goes on"
        case .comments: "sends comments every `ms=` (100), for ever or `count=` times"
        case .keepalive: "sends `count=` (3) `keepalive` events every `ms=` (100), then goes on"
        case .huge: "sends an unknown event of `size=` (8 MiB) bytes, then goes on"
        case .duplicateTerminal: "sends the terminal event twice"
        case .afterTerminal: "sends a delta after the terminal event"
        case .doneMarker: "ends with `data: [DONE]`"
        case .byteOrderMark: "begins with a byte order mark"
        case .carriageReturns: "ends lines with CR LF"
        }
    }
}
