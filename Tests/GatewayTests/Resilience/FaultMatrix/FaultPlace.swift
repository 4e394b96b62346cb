/// Where in an answer a fault strikes.
enum FaultPlace: CaseIterable, Sendable {
    case beforeFirstEvent
    case beforeFirstText
    case midText
    case midTool
    case atTheEnd

    /// The simulator's scenario that has such a place.
    var scenario: String { self == .midTool ? "function" : "hello" }

    /// True when a client has seen something of the answer before the fault.
    var isShown: Bool {
        switch self {
        case .beforeFirstEvent, .beforeFirstText: false
        case .midText, .midTool, .atTheEnd: true
        }
    }

    /// The numbers of events before the fault, for a stream of events of these types.
    func positions(in types: [String]) -> [Int] {
        let deltas = types.indices.filter { types[$0].hasSuffix(".delta") }
        let item = types.firstIndex(of: "response.output_item.added") ?? 0
        guard let first = deltas.first, let last = deltas.last, item > 0, first < last else {
            return []
        }
        switch self {
        case .beforeFirstEvent: return [0]
        case .beforeFirstText: return [1, item, first]
        case .midText: return [first + 1, (first + 1 + last) / 2, last]
        case .midTool: return [item + 1, first + 1, last]
        case .atTheEnd: return [last + 1, types.count - 1]
        }
    }
}
