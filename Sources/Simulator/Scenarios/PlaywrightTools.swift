/// Answers that call tools: the client's own, and hosted ones.
extension Playwright {
    /// A function to call with its JSON Schema.
    struct Function {
        let name: String
        let parameters: JSONValue
    }

    /// The function that the request makes the model call: by `tool_choice`, or because the text names it.
    var wantedCall: Function? {
        if case .string(let choice)? = request.body["tool_choice"] {
            if choice == "none" { return nil }
            if choice == "required" { return request.functions.first.map(function) }
        }
        let functions = request.functions
        if let name = request.body["tool_choice"]?["name"]?.string {
            return functions.first { $0["name"]?.string == name }.map(function)
        }
        let text = request.plainText.lowercased()
        let said = Set(text.split { !$0.isLetter }.map(String.init))
        return functions.first { tool in
            let parts = (tool["name"]?.string ?? "").lowercased().split { $0 == "_" || $0 == "-" }
            return parts.contains { $0.count > 3 && said.contains(String($0)) }
        }
        .map(function)
    }

    /// The first declared function; a weather function of our own when none is declared.
    var firstFunction: Function {
        request.functions.first.map(function) ?? Self.weather
    }

    private func function(_ tool: JSONValue) -> Function {
        Function(
            name: tool["name"]?.string ?? "function", parameters: tool["parameters"] ?? .null)
    }

    private static let weather = Function(
        name: "get_weather",
        parameters: .object([
            .init("type", .string("object")),
            .init(
                "properties",
                .object([.init("city", .object([.init("type", .string("string"))]))])),
        ]))

    mutating func call(_ function: Function) -> OutputItem {
        var sampler = SchemaSampler(root: function.parameters, hint: request.plainText)
        let arguments = sampler.sample(&random)
        return .call(function.name, arguments: arguments, &random)
    }

    var parallelCalls: [OutputItem] {
        mutating get {
            let declared = request.functions.map(function)
            var functions = declared.isEmpty ? [Self.weather] : declared
            while functions.count < 2, let first = functions.first { functions.append(first) }
            var items: [OutputItem] = []
            for function in functions.prefix(8) { items.append(call(function)) }
            return items
        }
    }

    var customCall: OutputItem {
        mutating get {
            let tool = request.tools.first { $0["type"]?.string == "custom" }
            let name = tool?["name"]?.string ?? "run_script"
            let callID = "call_" + random.alphanumeric(24)
            return OutputItem(
                .customCall(name: name, callID: callID), id: random.identifier("ctc_"),
                runs: [TextRun(.customInput, "print(\"grain in, flour out\")\nreturn 42\n")])
        }
    }

    var structured: String {
        mutating get {
            let schema = request.body["text"]?["format"]?["schema"]
            var sampler = SchemaSampler(root: schema ?? Self.fallback, hint: request.plainText)
            return sampler.sample(&random).bytes.text
        }
    }

    private static let fallback = JSONValue.object([
        .init("type", .string("object")),
        .init(
            "properties",
            .object([
                .init("answer", .object([.init("type", .string("string"))])),
                .init("confidence", .object([.init("type", .string("number"))])),
            ])),
    ])

    // MARK: hosted tools

    var webSearch: [OutputItem] {
        mutating get {
            let query = request.plainText.isEmpty ? "mill race" : request.plainText
            let search = OutputItem(.webSearch(query: query), id: random.identifier("ws_"))
            let lead = "A mill race is the swift current that drives a mill. "
            let cite = "([example.com](https://example.com/mill-race))"
            var run = TextRun(.outputText, lead + cite)
            run.annotations = [
                .object([
                    .init("type", .string("url_citation")),
                    .init("end_index", .integer(lead.count + cite.count)),
                    .init("start_index", .integer(lead.count)),
                    .init("title", .string("Mill race")),
                    .init("url", .string("https://example.com/mill-race")),
                ])
            ]
            return [search, .message([run], &random)]
        }
    }

    var fileSearch: [OutputItem] {
        mutating get {
            let search = OutputItem(
                .fileSearch(query: request.plainText), id: random.identifier("fs_"))
            let text = "The handbook says: keep the sluice clear."
            var run = TextRun(.outputText, text)
            run.annotations = [
                .object([
                    .init("type", .string("file_citation")),
                    .init("file_id", .string("file-" + random.alphanumeric(22))),
                    .init("filename", .string("handbook.pdf")),
                    .init("index", .integer(text.count)),
                ])
            ]
            return [search, .message([run], &random)]
        }
    }

    var codeInterpreter: [OutputItem] {
        mutating get {
            let code = "total = sum(n for n in range(1, 101))\nprint(total)\n"
            let container = random.identifier("cntr_")
            let call = OutputItem(
                .codeInterpreter(container: container, logs: "5050\n"),
                id: random.identifier("ci_"), runs: [TextRun(.code, code)])
            return [call, message("The sum of the numbers from 1 to 100 is **5050**.")]
        }
    }

    var image: [OutputItem] {
        mutating get {
            let size = min(max(request.directives.integer("bytes") ?? 1024, 4), 16 << 20)
            let result = "iVBORw0KGgo" + random.alphanumeric(size / 4 * 4 - 11)
            let partials = [random.alphanumeric(size / 4 * 4), random.alphanumeric(size / 4 * 4)]
            return [
                OutputItem(
                    .image(partials: partials, result: result), id: random.identifier("ig_")),
                message("Here is the picture of a mill."),
            ]
        }
    }

    var mcp: [OutputItem] {
        mutating get {
            let server =
                request.tools.first { $0["type"]?.string == "mcp" }?["server_label"]?.string
                ?? "mill"
            let question = JSONValue.object([.init("question", .string(request.plainText))])
            return [
                OutputItem(.mcpTools(server: server), id: random.identifier("mcpl_")),
                OutputItem(
                    .mcpCall(server: server, name: "ask_question", output: "Forty-two."),
                    id: random.identifier("mcp_"),
                    runs: [TextRun(.mcpArguments, question.bytes.text)]),
                message("The server says: forty-two."),
            ]
        }
    }
}
