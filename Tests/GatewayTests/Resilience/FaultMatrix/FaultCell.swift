import Foundation
import Simulator
import Testing

/// One cell of the matrix: a fault at a place under a policy, and the answer that comes of it.
struct FaultCell: CustomStringConvertible {
    let fault: FaultCase
    let place: FaultPlace
    let policy: FaultPolicy
    /// Events before the fault.
    let position: Int
    /// The text of the answer without a fault.
    let plain: String

    private static let tool =
        #"{"type":"function","name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}"#

    var description: String {
        "\(fault.kind.rawValue) \(fault.settings), \(place) \(position), \(policy)"
    }

    /// What the fault is named by; another upstream may call the model something else.
    private var model: String { "sim-fault-\(fault.kind.rawValue)" }

    /// A marker of the scenario and the fault's settings.
    private var marker: String {
        let key = "\(fault.kind.rawValue)-\(fault.settings)-\(place)-\(policy)-\(position)"
            .replacing(" ", with: "-")
        let words = [
            place.scenario, fault.settings, "after=\(position)",
            fault.times(at: place, under: policy), "key=\(key)",
        ]
        return "[sim:\(words.filter { !$0.isEmpty }.joined(separator: " "))]"
    }

    /// Asks for the answer.
    func ask(_ client: ChatClient) {
        Self.ask(client, "Hi \(marker)", model: model, place, policy)
    }

    /// Asks for the same without a fault.
    static func askPlainly(_ client: ChatClient, _ place: FaultPlace, _ policy: FaultPolicy) {
        ask(client, "Hi [sim:\(place.scenario)]", model: "sim-plain", place, policy)
    }

    private static func ask(
        _ client: ChatClient, _ input: String, model: String, _ place: FaultPlace,
        _ policy: FaultPolicy
    ) {
        var options = #"{"model":"\#(model)""#
        if place == .midTool { options += #","tools":[\#(tool)]"# }
        if policy == .background { options += #","background":true"# }
        client.message("m", input, options: options + "}")
    }

    /// Waits for the end, and compares it and what came with what the table says.
    func check(_ client: ChatClient) throws {
        let end = try client.complete("m")
        let story = "\(self)\n\(client.story)"
        let text = client.text(of: "m")
        let ends = client.events.filter { $0["type"] as? String == "complete" }
        #expect(ends.count == 1, "\(story)")
        #expect(end["text_sha256"] as? String == text.sha256, "\(story)")
        #expect(client.events.last?["type"] as? String == "complete", "\(story)")
        let tools = client.events.filter { $0["type"] as? String == "tool" }
        let endings = tools.compactMap { $0["status"] as? String }
            .filter { ["completed", "failed", "incomplete"].contains($0) }
        let pieces = tools.compactMap { $0["delta"] as? String }.joined()
        switch fault.outcome(at: place, under: policy) {
        case .whole:
            #expect(end.status == "completed", "\(story)")
            #expect(text == plain, "\(story)")
            #expect(endings == (place == .midTool ? ["completed"] : []), "\(story)")
            #expect(tools.last?["arguments"] as? String ?? "" == pieces, "\(story)")
        case .failed(let code, let isRetryable):
            #expect(end.status == "failed", "\(story)")
            #expect(end.code == code, "\(story)")
            #expect(end.isRetryable == isRetryable, "\(story)")
            #expect(plain.hasPrefix(text), "\(story)")
            switch place {
            case .beforeFirstEvent, .beforeFirstText: #expect(text.isEmpty, "\(story)")
            case .midText: #expect(!text.isEmpty && text != plain, "\(story)")
            case .midTool: #expect(endings == ["incomplete"], "\(story)")
            case .atTheEnd: #expect(text == plain, "\(story)")
            }
        }
    }
}
