/// How output items look in JSON, at their beginning and at their end.
extension OutputItem {
    /// The status events between `output_item.added` and the item's texts, and after them.
    var statusEvents: (before: [String], after: [String]) {
        switch kind {
        case .message, .reasoning, .functionCall, .customCall: ([], [])
        case .webSearch:
            (
                [
                    "response.web_search_call.in_progress", "response.web_search_call.searching",
                ], ["response.web_search_call.completed"]
            )
        case .fileSearch:
            (
                [
                    "response.file_search_call.in_progress", "response.file_search_call.searching",
                ], ["response.file_search_call.completed"]
            )
        case .codeInterpreter:
            (
                ["response.code_interpreter_call.in_progress"],
                [
                    "response.code_interpreter_call.interpreting",
                    "response.code_interpreter_call.completed",
                ]
            )
        case .image:
            (
                [
                    "response.image_generation_call.in_progress",
                    "response.image_generation_call.generating",
                ], ["response.image_generation_call.completed"]
            )
        case .mcpTools:
            (["response.mcp_list_tools.in_progress"], ["response.mcp_list_tools.completed"])
        case .mcpCall: (["response.mcp_call.in_progress"], ["response.mcp_call.completed"])
        }
    }

    /// The base64 images that appear while an image is made.
    var partialImages: [String] {
        if case .image(let partials, _) = kind { partials } else { [] }
    }

    /// Appends the item as `output_item.added` shows it: empty and in progress.
    func appendAdded(_ echo: ResponseEcho, to out: inout [UInt8]) {
        append(echo, isDone: false, to: &out)
    }

    /// Appends the finished item.
    func appendDone(_ echo: ResponseEcho, to out: inout [UInt8]) {
        append(echo, isDone: true, to: &out)
    }

    private func append(_ echo: ResponseEcho, isDone: Bool, to out: inout [UInt8]) {
        let status = isDone ? (isIncomplete ? "incomplete" : "completed") : "in_progress"
        out.put("{\"id\":\"\(id)\",\"type\":\"\(type)\"")
        switch kind {
        case .message(let phase):
            out.put(",\"status\":\"\(status)\",\"content\":[")
            if isDone { appendParts(to: &out) }
            out.put("],\"role\":\"assistant\"")
            if let phase { out.put(",\"phase\":\"\(phase)\"") }
        case .reasoning(let encrypted):
            appendReasoning(encrypted: encrypted, isDone: isDone, to: &out)
        case .functionCall(let name, let callID):
            out.put(",\"status\":\"\(status)\",\"arguments\":")
            appendText(isDone: isDone, to: &out)
            out.put(",\"call_id\":\"\(callID)\",\"name\":")
            out.putQuoted(name)
        case .customCall(let name, let callID):
            out.put(",\"status\":\"\(status)\",\"call_id\":\"\(callID)\",\"input\":")
            appendText(isDone: isDone, to: &out)
            out.put(",\"name\":")
            out.putQuoted(name)
        case .webSearch(let query):
            out.put(",\"status\":\"\(status)\"")
            guard isDone else { break }
            out.put(",\"action\":{\"type\":\"search\",\"queries\":[")
            out.putQuoted(query)
            out.put("],\"query\":")
            out.putQuoted(query)
            out.put("}")
        case .fileSearch(let query):
            out.put(",\"status\":\"\(status)\",\"queries\":[")
            if isDone { out.putQuoted(query) }
            out.put("],\"results\":null")
        case .codeInterpreter(let container, let logs):
            out.put(",\"status\":\"\(status)\",\"code\":")
            appendText(isDone: isDone, to: &out)
            out.put(",\"container_id\":\"\(container)\",\"outputs\":")
            if isDone, let logs, echo.request.includes("code_interpreter_call.outputs") {
                out.put("[{\"type\":\"logs\",\"logs\":")
                out.putQuoted(logs)
                out.put("}]")
            } else {
                out.put("null")
            }
        case .image(_, let result):
            out.put(",\"status\":\"\(status)\"")
            guard isDone else { break }
            out.put(
                ",\"background\":\"opaque\",\"output_format\":\"png\",\"quality\":\"low\","
                    + "\"result\":\"\(result)\",\"revised_prompt\":null,\"size\":\"1x1\"")
        case .mcpTools(let server):
            out.put(",\"server_label\":")
            out.putQuoted(server)
            out.put(",\"tools\":[")
            if isDone {
                out.put(
                    "{\"name\":\"ask_question\",\"description\":\"Answers a question.\","
                        + "\"annotations\":null,\"input_schema\":{\"type\":\"object\","
                        + "\"properties\":{\"question\":{\"type\":\"string\"}},"
                        + "\"required\":[\"question\"]}}")
            }
            out.put("]")
        case .mcpCall(let server, let name, let output):
            out.put(",\"status\":\"\(status)\",\"approval_request_id\":null,\"arguments\":")
            appendText(isDone: isDone, to: &out)
            out.put(",\"error\":null,\"name\":")
            out.putQuoted(name)
            out.put(",\"output\":")
            if isDone { out.putQuoted(output) } else { out.put("null") }
            out.put(",\"server_label\":")
            out.putQuoted(server)
        }
        out.put("}")
    }

    private var type: String {
        switch kind {
        case .message: "message"
        case .reasoning: "reasoning"
        case .functionCall: "function_call"
        case .customCall: "custom_tool_call"
        case .webSearch: "web_search_call"
        case .fileSearch: "file_search_call"
        case .codeInterpreter: "code_interpreter_call"
        case .image: "image_generation_call"
        case .mcpTools: "mcp_list_tools"
        case .mcpCall: "mcp_call"
        }
    }

    /// The only text of an item without parts, as a JSON string.
    private func appendText(isDone: Bool, to out: inout [UInt8]) {
        out.put("\"")
        if isDone, let run = runs.first { run.appendJoined(run.count, to: &out) }
        out.put("\"")
    }

    private func appendParts(to out: inout [UInt8]) {
        for (index, run) in runs.enumerated() {
            if index > 0 { out.put(",") }
            run.appendPart(isDone: true, to: &out)
        }
    }

    private func appendReasoning(encrypted: Bool, isDone: Bool, to out: inout [UInt8]) {
        out.put(",\"summary\":[")
        var isFirst = true
        if isDone {
            for run in runs where run.kind == .reasoningSummary {
                if !isFirst { out.put(",") }
                isFirst = false
                run.appendPart(isDone: true, to: &out)
            }
        }
        out.put("]")
        let texts = runs.filter { $0.kind == .reasoningText }
        if !texts.isEmpty {
            out.put(",\"content\":[")
            for (index, run) in texts.enumerated() where isDone {
                if index > 0 { out.put(",") }
                run.appendPart(isDone: true, to: &out)
            }
            out.put("]")
        }
        if encrypted {
            // The service's own cipher text also differs between the two events.
            out.put(",\"encrypted_content\":\"gAAAA\(isDone ? "B" : "A")\(id.suffix(40))==\"")
        }
    }
}

extension TextRun {
    /// Appends the part that holds this text.
    func appendPart(isDone: Bool, to out: inout [UInt8]) {
        switch kind {
        case .outputText:
            out.put("{\"type\":\"output_text\",\"annotations\":")
            out.put(.array(isDone ? annotations : []))
            out.put(",\"logprobs\":[],\"text\":\"")
        case .refusal: out.put("{\"type\":\"refusal\",\"refusal\":\"")
        case .reasoningSummary: out.put("{\"type\":\"summary_text\",\"text\":\"")
        case .reasoningText: out.put("{\"type\":\"reasoning_text\",\"text\":\"")
        case .functionArguments, .customInput, .code, .mcpArguments: out.put("{\"text\":\"")
        }
        if isDone { appendJoined(count, to: &out) }
        out.put("\"}")
    }
}
