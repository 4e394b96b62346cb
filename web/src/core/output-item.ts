/** Applies what is said of one output item: tool events, finished items, annotations, partial images. */

import type { ItemEvent, ToolEvent, UpstreamEvent, UpstreamObject } from "./protocol.ts";
import type { OutputItem } from "./turn.ts";

export function applyTool(item: OutputItem, event: ToolEvent): void {
  const tool = item.tool ??= { kind: event.kind, status: event.status, arguments: "" };
  tool.status = event.status;
  if (event.call_id !== undefined) tool.call_id = event.call_id;
  if (event.name !== undefined) tool.name = event.name;
  if (event.delta !== undefined) tool.arguments += event.delta;
  if (event.arguments !== undefined) {
    tool.arguments = typeof event.arguments === "string"
      ? event.arguments
      : JSON.stringify(event.arguments, null, 2);
  }
  if (event.output !== undefined) tool.output = event.output;
}

export function applyItem(
  item: OutputItem,
  event: Pick<ItemEvent, "index" | "item">,
  now: number | undefined,
): void {
  item.item = event.item;
  if (now !== undefined) item.ended = now;
  const finished = event.item;
  const type = String(finished.type ?? "");
  if (type === "message" || type === "reasoning") {
    fillFromItem(item, finished, now !== undefined);
  } else if (type.endsWith("_call")) {
    const kind = type.replace(/(_tool)?_call$/, "");
    const tool = item.tool ??= {
      kind,
      status: String(finished.status ?? "completed"),
      arguments: "",
    };
    const ran = finished.arguments ?? finished.code ?? finished.input ?? finished.action ??
      finished.queries;
    if (tool.arguments === "" && ran !== undefined) {
      tool.arguments = typeof ran === "string" ? ran : JSON.stringify(ran, null, 2);
    }
    if (tool.name === undefined && typeof finished.name === "string") tool.name = finished.name;
    if (tool.call_id === undefined && typeof finished.call_id === "string") {
      tool.call_id = finished.call_id;
    }
    const output = finished.output ?? finished.outputs ?? finished.results;
    if (tool.output === undefined && output !== undefined && output !== null) tool.output = output;
    if (typeof finished.error === "string") tool.output ??= finished.error;
  }
}

/** Text and annotations of a finished message or reasoning item; what has streamed is never overwritten. */
function fillFromItem(item: OutputItem, finished: UpstreamObject, late: boolean): void {
  const annotations: UpstreamObject[] = [];
  const add = (kind: string, part: number, text: unknown) => {
    if (typeof text !== "string" || text === "") return;
    if (item.parts.some((each) => each.kind === kind && each.part === part)) return;
    item.parts.push(late ? { kind, part, text, late } : { kind, part, text });
  };
  // What is no object there says nothing.
  const list = (value: unknown): UpstreamObject[] => Array.isArray(value) ? value.map(Object) : [];
  list(finished.content).forEach((content, part) => {
    if (content.type === "output_text") {
      add("text", part, content.text);
      for (const each of list(content.annotations)) annotations.push(ofPart(each, part));
    } else if (content.type === "refusal") {
      add("refusal", part, content.refusal);
    } else if (content.type === "reasoning_text") {
      add("reasoning", part, content.text);
    }
  });
  list(finished.summary).forEach((summary, part) => {
    add("reasoning_summary", part, summary.text);
  });
  if (annotations.length > 0) item.annotations = annotations;
}

/** An annotation, with the content part that it belongs to where that is not 0. */
function ofPart(annotation: UpstreamObject, part: number): UpstreamObject {
  return part === 0 ? annotation : { ...annotation, part };
}

export function applyUpstream(item: OutputItem, { event }: UpstreamEvent): void {
  if (
    event.type === "response.output_text.annotation.added" &&
    typeof event.annotation === "object" && event.annotation !== null
  ) {
    const part = typeof event.content_index === "number" ? event.content_index : 0;
    (item.annotations ??= []).push(ofPart(event.annotation as UpstreamObject, part));
  } else if (
    event.type === "response.image_generation_call.partial_image" &&
    typeof event.partial_image_b64 === "string"
  ) {
    item.partial_image = event.partial_image_b64;
  }
}
