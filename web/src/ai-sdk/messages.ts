/** Messages of the AI SDK as input items of the Responses API. */

import type { MessageInput, UpstreamObject } from "../core/protocol.ts";
import type { UIMessage, UIMessagePart } from "./types.ts";

const MAXIMUM_ID_CHARACTERS = 56;

/** The SDK's ids have other characters than the gateway's may have; room is left for the number of a repeat. */
export function wireId(id: string): string {
  return id.replace(/[^A-Za-z0-9_.-]/g, "_").slice(0, MAXIMUM_ID_CHARACTERS) || "m";
}

/** What the user said: a text, or one item with text, pictures and files. */
export function inputOf(message: UIMessage): MessageInput {
  const content = contentOf(message);
  const [only] = content;
  if (content.length === 1 && only?.type === "input_text") return String(only.text);
  return [{ role: "user", content }];
}

function contentOf(message: UIMessage): UpstreamObject[] {
  const content: UpstreamObject[] = [];
  for (const part of message.parts) {
    if (part.type === "text") {
      content.push({ type: "input_text", text: String(part.text ?? "") });
    } else if (part.type === "file" && String(part.mediaType).startsWith("image/")) {
      content.push({ type: "input_image", image_url: String(part.url), detail: "auto" });
    } else if (part.type === "file") {
      content.push({
        type: "input_file",
        filename: String(part.filename ?? "file"),
        file_data: String(part.url),
      });
    }
  }
  return content;
}

/** Earlier messages, for a session that has not heard them. */
export function historyOf(messages: readonly UIMessage[]): UpstreamObject[] {
  const items: UpstreamObject[] = [];
  for (const message of messages) {
    if (message.role !== "assistant") {
      const content = contentOf(message);
      if (content.length > 0) items.push({ role: message.role, content });
      continue;
    }
    const text = message.parts.filter((part) => part.type === "text")
      .map((part) => String(part.text ?? "")).join("\n\n");
    if (text !== "") items.push({ role: "assistant", content: text });
  }
  return items;
}

/** Outputs of the tools that the application ran since the last step of a message. */
export function toolOutputs(message: UIMessage): UpstreamObject[] {
  const step = message.parts.findLastIndex((part) => part.type === "step-start");
  return message.parts.slice(step + 1).filter(isOwnTool).flatMap((part): UpstreamObject[] => {
    const said = part.state === "output-available"
      ? part.output
      : part.state === "output-error"
      ? part.errorText
      : undefined;
    if (part.state !== "output-available" && part.state !== "output-error") return [];
    const output = typeof said === "string" ? said : JSON.stringify(said ?? null);
    return [{ type: "function_call_output", call_id: String(part.toolCallId), output }];
  });
}

function isOwnTool(part: UIMessagePart): boolean {
  return (part.type === "dynamic-tool" || part.type.startsWith("tool-")) &&
    part.providerExecuted !== true;
}
