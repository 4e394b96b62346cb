/** An answer as chunks of the AI SDK's UI message stream. Pure: what the answer looks like goes in, what is new comes out. */

import { imageData } from "../core/image-data.ts";
import type { Answer, OutputItem, Turn } from "../core/turn.ts";
import type { FinishReason, UIMessageChunk } from "./types.ts";

const FINISH_REASONS: Record<string, FinishReason> = {
  max_output_tokens: "length",
  content_filter: "content-filter",
};

/** Remembers what has been said of one answer; every start gets its end, which the SDK insists on. */
export class ChunkWriter {
  #started = false;
  #ended = false;
  readonly #texts = new Map<
    string,
    { length: number; kind: "text" | "reasoning"; open: boolean }
  >();
  readonly #tools = new Map<
    number,
    { id: string; length: number; input: boolean; output: boolean }
  >();
  readonly #sources = new Set<string>();
  readonly #files = new Set<number>();
  readonly #continues: boolean;

  /** `continues`: what comes is the rest of a message that the SDK already shows. */
  constructor({ continues = false }: { readonly continues?: boolean } = {}) {
    this.#continues = continues;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** What is new in the answer since the last call. */
  write(turn: Turn): UIMessageChunk[] {
    const chunks: UIMessageChunk[] = [];
    if (this.#ended) return chunks;
    const answer = turn.answer;
    if (answer === undefined) {
      if (turn.delivery === "refused" || turn.delivery === "unconfirmed") {
        chunks.push({ type: "error", errorText: turn.problem?.message ?? turn.delivery });
        this.#ended = true;
      } else if (turn.delivery === "withdrawn") {
        chunks.push({ type: "abort" });
        this.#ended = true;
      }
      return chunks;
    }
    if (!this.#started) {
      this.#started = true;
      chunks.push(
        this.#continues ? { type: "start" } : { type: "start", messageId: answer.id },
        { type: "start-step" },
      );
    }
    for (const item of answer.items) this.#item(answer, item, chunks);
    if (answer.status !== "queued" && answer.status !== "in_progress") this.#end(answer, chunks);
    return chunks;
  }

  #item(answer: Answer, item: OutputItem, chunks: UIMessageChunk[]): void {
    for (const part of item.parts) {
      if (part.kind === "audio") continue;
      const id = `${answer.id}/${item.index}/${part.kind}/${part.part}`;
      const kind = part.kind.startsWith("reasoning") ? "reasoning" : "text";
      let text = this.#texts.get(id);
      if (text === undefined) {
        text = { length: 0, kind, open: true };
        this.#texts.set(id, text);
        chunks.push({ type: `${kind}-start`, id });
      }
      if (part.text.length > text.length) {
        chunks.push({ type: `${kind}-delta`, id, delta: part.text.slice(text.length) });
        text.length = part.text.length;
      }
      if (item.item !== undefined && text.open) {
        text.open = false;
        chunks.push({ type: `${kind}-end`, id });
      }
    }
    if (item.tool !== undefined) this.#tool(answer, item, chunks);
    for (const annotation of item.annotations ?? []) this.#source(annotation, chunks);
    const image = item.tool?.kind === "image_generation" ? imageData(item.item?.result) : undefined;
    if (image !== undefined && !this.#files.has(item.index)) {
      this.#files.add(item.index);
      chunks.push({ type: "file", ...image });
    }
  }

  #tool(answer: Answer, item: OutputItem, chunks: UIMessageChunk[]): void {
    const call = item.tool!;
    const toolName = call.name ?? call.kind;
    const providerExecuted = call.kind !== "function" && call.kind !== "custom";
    const common = providerExecuted ? { providerExecuted, dynamic: true } : { dynamic: true };
    let tool = this.#tools.get(item.index);
    if (tool === undefined) {
      tool = {
        id: call.call_id ?? `${answer.id}/${item.index}`,
        length: 0,
        input: false,
        output: false,
      };
      this.#tools.set(item.index, tool);
      chunks.push({ type: "tool-input-start", toolCallId: tool.id, toolName, ...common });
    }
    const toolCallId = tool.id;
    if (!tool.input && call.arguments.length > tool.length) {
      chunks.push({
        type: "tool-input-delta",
        toolCallId,
        inputTextDelta: call.arguments.slice(tool.length),
      });
      tool.length = call.arguments.length;
    }
    const over = answer.status !== "queued" && answer.status !== "in_progress";
    const ended = call.status === "completed" || call.status === "failed";
    if ((call.status === "incomplete" || (over && !ended)) && !tool.input) {
      // Half of the arguments is nothing that may be run.
      tool.input = tool.output = true;
      chunks.push({
        type: "tool-input-error",
        toolCallId,
        toolName,
        input: call.arguments,
        errorText: "the tool call was cut short",
        ...common,
      });
    }
    if (ended && !tool.input) {
      tool.input = true;
      chunks.push({
        type: "tool-input-available",
        toolCallId,
        toolName,
        input: parsed(call.arguments),
        ...common,
      });
    }
    if (!ended || tool.output) return;
    if (call.status === "failed") {
      tool.output = true;
      const errorText = typeof call.output === "string" ? call.output : "the tool call failed";
      chunks.push({ type: "tool-output-error", toolCallId, errorText, ...common });
    } else if (
      call.output !== undefined || (providerExecuted && (item.item !== undefined || over))
    ) {
      // Upstream has run it, whether or not it tells what came of it.
      tool.output = true;
      const output = call.output ?? null;
      chunks.push({ type: "tool-output-available", toolCallId, output, ...common });
    }
  }

  #source(annotation: Record<string, unknown>, chunks: UIMessageChunk[]): void {
    const { url, title, file_id, filename } = annotation;
    const sourceId = String(url ?? file_id ?? filename ?? "");
    if (sourceId === "" || this.#sources.has(sourceId)) return;
    this.#sources.add(sourceId);
    if (typeof url === "string") {
      chunks.push({
        type: "source-url",
        sourceId,
        url,
        ...(typeof title === "string" ? { title } : {}),
      });
    } else {
      const name = String(filename ?? sourceId);
      chunks.push({
        type: "source-document",
        sourceId,
        mediaType: "application/octet-stream",
        title: name,
        filename: name,
      });
    }
  }

  #end(answer: Answer, chunks: UIMessageChunk[]): void {
    this.#ended = true;
    for (const [id, text] of this.#texts) {
      if (text.open) chunks.push({ type: `${text.kind}-end`, id });
    }
    const { usage, timing } = answer.complete ?? {};
    const metadata = {
      integrity: answer.integrity,
      ...(answer.model === undefined ? {} : { model: answer.model }),
      ...(usage === undefined ? {} : { usage }),
      ...(timing === undefined ? {} : { timing }),
    };
    switch (answer.status) {
      case "cancelled":
        chunks.push({ type: "abort", reason: answer.complete?.reason ?? "client" });
        return;
      case "failed":
      case "interrupted":
        chunks.push(
          {
            type: "error",
            errorText: answer.complete?.error?.message ?? "the answer was interrupted",
          },
          { type: "finish", finishReason: "error", messageMetadata: metadata },
        );
        return;
      default: {
        const calls = answer.items.some((item) =>
          item.tool?.kind === "function" && item.tool.output === undefined
        );
        const reason: FinishReason = answer.status === "incomplete"
          ? FINISH_REASONS[answer.complete?.reason ?? ""] ?? "other"
          : calls
          ? "tool-calls"
          : "stop";
        chunks.push(
          { type: "finish-step" },
          { type: "finish", finishReason: reason, messageMetadata: metadata },
        );
      }
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text === "" ? "{}" : text);
  } catch {
    return text;
  }
}
