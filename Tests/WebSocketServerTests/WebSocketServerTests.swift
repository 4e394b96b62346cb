import Testing
@testable import WebSocketServer
