import Testing
@testable import LoadClient
