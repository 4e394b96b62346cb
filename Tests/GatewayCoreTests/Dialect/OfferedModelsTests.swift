import Foundation
import Testing

@testable import GatewayCore

@Suite("The models of the OpenAI dialect")
struct OfferedModelsTests {
    private static let offered = OfferedModels(["gpt", "o/\"1"])

    private static func fixture() -> DialectFixture {
        var requests = UpstreamRequestBuilder()
        requests.models = offered
        requests.defaults = [RequestOption(name: "model", value: Array("\"gpt\"".utf8))]
        return DialectFixture(requests: requests)
    }

    @Test(
        "one that is not offered does not exist, as the service says it",
        arguments: [#""gpt-5""#, "null", "7"], [false, true])
    func refusal(model: String, isFrame: Bool) throws {
        var fixture = Self.fixture()
        let error = #expect(throws: DialectError.self) {
            try fixture.create(#"{"model":\#(model),"input":"Hi"}"#, isFrame: isFrame)
        }
        #expect(error?.status == 400)
        #expect(error?.code == "model_not_found")
        #expect(error?.type == "invalid_request_error")
        #expect(error?.param == "model")
        #expect(
            error?.message.contains(model.trimmingCharacters(in: ["\""])) == true,
            "\(error?.message ?? "")")
        #expect(fixture.opened().isEmpty)
    }

    @Test("one that is offered goes upstream as it was written, and no name is the default")
    func accepted() throws {
        var fixture = Self.fixture()
        try fixture.create(#"{"model":"o\/\"1","input":"Hi"}"#)
        try fixture.create(#"{"input":"Hi"}"#, isFrame: true)
        let bodies = fixture.opened().map(\.body)
        #expect(bodies.first?.contains(#""model":"o\/\"1""#) == true)
        #expect(bodies.count == 1, "the second waits for its lane")
    }

    @Test("the list and its parts are objects of the service")
    func documents() throws {
        let list = try #require(
            JSONSerialization.jsonObject(with: Data(Self.offered.listDocument)) as? [String: Any])
        #expect(list["object"] as? String == "list")
        let models = try #require(list["data"] as? [[String: Any]])
        #expect(models.map { $0["id"] as? String } == ["gpt", "o/\"1"])
        for model in models {
            #expect(model["object"] as? String == "model")
            #expect(model["created"] as? Int == 0)
            #expect(model["owned_by"] as? String == "millrace")
            let one = Self.offered.document(of: model["id"] as? String ?? "") ?? []
            #expect(
                try JSONSerialization.jsonObject(with: Data(one)) as? NSDictionary
                    == model as NSDictionary)
        }
        #expect(Self.offered.document(of: "gpt-5") == nil)
    }
}
