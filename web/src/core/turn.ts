/**
 * What a conversation is: plain JSON values, so that a store may keep them as they are, and questions about them.
 */

import type {
  CompleteEvent,
  FinalStatus,
  MessageInput,
  MessageOptions,
  ResponseError,
  RunningStatus,
  StateFrame,
  UpstreamObject,
} from "./protocol.ts";

// MARK: data

/**
 * How far a message has come.
 *
 * `queued` (with us) → `sent` → `accepted` (it is in the log); or `refused` by the gateway; or `unconfirmed`: sent to
 * a session that is gone, so that nobody can say whether it started a response; or `withdrawn` before it was sent.
 */
export type Delivery =
  | "queued"
  | "sent"
  | "accepted"
  | "refused"
  | "unconfirmed"
  | "withdrawn";

/** One message of the user, and its answer. */
export interface Turn {
  /** The message's id. */
  id: string;
  input?: MessageInput;
  /** Size of an input that the gateway did not echo. */
  input_bytes?: number;
  options?: MessageOptions;
  delivery: Delivery;
  problem?: ResponseError;
  /** How often the gateway did not take it and said that it may later. */
  refusals?: number;
  /** Milliseconds since 1970, by this machine's clock. */
  created: number;
  /** The user asked for an end and it has not come yet. */
  stopping?: boolean;
  answer?: Answer;
  /** Other ways the conversation went on from here: whole tails, this turn's own place among them left out. */
  alternatives?: Turn[][];
  /** The place of this turn among its alternatives. */
  version?: number;
}

/** `interrupted`: its session is gone, and how the response ended will never be known. */
export type AnswerStatus = RunningStatus | FinalStatus | "interrupted";

/** `verified`: the text has the gateway's checksum. `unchecked`: none came, or it was rebuilt from a snapshot. */
export type Integrity = "pending" | "verified" | "mismatch" | "unchecked";

export interface Answer {
  /** The response's id. */
  id: string;
  model?: string;
  status: AnswerStatus;
  /** In order of `index`. */
  items: OutputItem[];
  integrity: Integrity;
  /** Why nothing comes right now. */
  activity?: StateFrame;
  complete?: CompleteEvent;
  /** Items from this index on come from another upstream, which went on where the one before broke off. */
  seams?: { index: number; reason?: string }[];
  /** Some of it came in a snapshot, so that its pieces are not the gateway's own. */
  from_snapshot?: boolean;
}

/** A text that grows: one content part or one summary part of an item. */
export interface TextPart {
  kind: string;
  part: number;
  text: string;
  /** Never streamed: it came with the finished item only, so the gateway's checksum does not count it. */
  late?: boolean;
}

export interface ToolCall {
  kind: string;
  status: string;
  call_id?: string;
  name?: string;
  /** Arguments (or code, command, patch) as they stream; whole once the call is done. */
  arguments: string;
  output?: unknown;
}

export interface OutputItem {
  index: number;
  parts: TextPart[];
  /** Text of all parts in order of arrival, kept only when there is more than one part. */
  arrived?: string;
  tool?: ToolCall;
  /** As upstream sent them; `part` is added for a content part that is not 0. */
  annotations?: UpstreamObject[];
  /** The newest partial image, base64. */
  partial_image?: string;
  /** The finished item, as upstream sent it. */
  item?: UpstreamObject;
  /** Milliseconds since 1970 of its first and last event here; absent after a snapshot. */
  began?: number;
  ended?: number;
}

// MARK: questions about the data

export function isRunning(turn: Turn): boolean {
  return turn.answer?.status === "queued" || turn.answer?.status === "in_progress";
}

/** Nothing more will come for this turn. */
export function isSettled(turn: Turn): boolean {
  return turn.answer === undefined
    ? turn.delivery === "refused" || turn.delivery === "withdrawn" ||
      turn.delivery === "unconfirmed"
    : !isRunning(turn);
}

/** Its session is gone: what was going on there can never be known to have ended. Answers whether anything was. */
export function interrupt(turn: Turn): boolean {
  const { answer, delivery } = turn;
  if (answer !== undefined && isRunning(turn)) {
    answer.status = "interrupted";
    delete answer.activity;
  } else if (delivery === "sent" || (delivery === "accepted" && answer === undefined)) {
    turn.delivery = "unconfirmed";
  } else {
    return false;
  }
  delete turn.stopping;
  return true;
}

/** All text of an answer, items separated by a blank line, except where one goes on in the middle of the text. */
export function answerText(answer: Answer | undefined): string {
  let whole = "", last = -1;
  for (const item of answer?.items ?? []) {
    const text = itemText(item, "text") || itemText(item, "refusal");
    if (text === "") continue;
    const goesOn = seamBetween(answer!, last, item.index) !== undefined;
    whole += whole === "" || goesOn ? text : `\n\n${text}`;
    last = item.index;
  }
  return whole;
}

/** The seam behind the item `before` and not behind the item `index`. */
export function seamBetween(answer: Answer, before: number, index: number) {
  return answer.seams?.find((seam) => seam.index > before && seam.index <= index);
}

export function itemText(item: OutputItem, kind: string): string {
  let text = "";
  for (const part of item.parts) if (part.kind === kind) text += part.text;
  return text;
}

/** The text that the user wrote, without attachments and without earlier turns that travelled along. */
export function inputText(input: MessageInput | undefined): string {
  if (typeof input === "string") return input;
  return contentText(lastUserItem(input ?? [])?.content, "input_text");
}

/** The text of an item's content: a text, or a list of parts, of which those of one type are read. */
export function contentText(content: unknown, type: string): string {
  if (typeof content === "string") return content;
  return contentParts(content).filter((part) => part.type === type)
    .map(({ text }) => typeof text === "string" ? text : "").join("\n");
}

/** The attachments of the user's message: `input_image` and `input_file` parts. */
export function inputAttachments(input: MessageInput | undefined): UpstreamObject[] {
  if (input === undefined || typeof input === "string") return [];
  return contentParts(lastUserItem(input)?.content).filter((part) =>
    part.type === "input_image" || part.type === "input_file"
  );
}

/** Another client of the session may have sent anything: what is no object there says nothing. */
function contentParts(content: unknown): UpstreamObject[] {
  return Array.isArray(content) ? content.map(Object) : [];
}

/** The item that the user wrote, among those that a message may carry. */
export function lastUserItem(input: readonly UpstreamObject[]): UpstreamObject | undefined {
  return input.findLast((item) =>
    item.role === "user" || (item.type === "message" && item.role === undefined)
  );
}
