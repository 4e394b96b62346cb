/// What `GET /v1/models` says where the gateway itself names the models.
extension OfferedModels {
    /// The list of all of them.
    package var listDocument: [UInt8] {
        var document: [UInt8] = []
        document.append(literal: "{\"object\":\"list\",\"data\":[")
        for (position, name) in names.enumerated() {
            if position > 0 { document.append(UInt8(ascii: ",")) }
            Self.append(name, to: &document)
        }
        document.append(literal: "]}\n")
        return document
    }

    /// One of them; nil when it is none.
    package func document(of name: String) -> [UInt8]? {
        guard names.contains(name) else { return nil }
        var document: [UInt8] = []
        Self.append(name, to: &document)
        document.append(UInt8(ascii: "\n"))
        return document
    }

    /// A model object of the service.
    ///
    /// `created` is 0: when a model was made, only upstream knows.
    private static func append(_ name: String, to document: inout [UInt8]) {
        document.append(literal: "{\"id\":")
        document.append(jsonString: name)
        document.append(literal: ",\"object\":\"model\",\"created\":0,\"owned_by\":\"millrace\"}")
    }
}
