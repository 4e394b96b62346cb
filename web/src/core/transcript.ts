/**
 * What a conversation looks like after a number of events: plain data, and the function that applies one event.
 *
 * Turns are plain JSON values, so that a store may keep them as they are, together with the position they stand at.
 */

import type {
  CompleteEvent,
  DeltaEvent,
  FinalStatus,
  ItemEvent,
  LogEvent,
  MessageInput,
  MessageOptions,
  ResponseError,
  ResponseEvent,
  RunningStatus,
  SnapshotFrame,
  SnapshotResponse,
  StateFrame,
  ToolEvent,
  UpstreamEvent,
  UpstreamObject,
} from "./protocol.ts";
import { sha256Hex } from "./sha256.ts";

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

/** All text of an answer, items separated by a blank line. */
export function answerText(answer: Answer | undefined): string {
  if (answer === undefined) return "";
  return answer.items.map((item) => itemText(item, "text") || itemText(item, "refusal"))
    .filter((text) => text !== "").join("\n\n");
}

export function itemText(item: OutputItem, kind: string): string {
  let text = "";
  for (const part of item.parts) if (part.kind === kind) text += part.text;
  return text;
}

/** The text that the user wrote, without attachments and without earlier turns that travelled along. */
export function inputText(input: MessageInput | undefined): string {
  if (input === undefined) return "";
  if (typeof input === "string") return input;
  const content = lastUserItem(input)?.content;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return (content as UpstreamObject[]).filter((part) => part.type === "input_text")
    .map((part) => String(part.text ?? "")).join("\n");
}

/** The attachments of the user's message: `input_image` and `input_file` parts. */
export function inputAttachments(input: MessageInput | undefined): UpstreamObject[] {
  if (input === undefined || typeof input === "string") return [];
  const content = lastUserItem(input)?.content;
  if (!Array.isArray(content)) return [];
  return (content as UpstreamObject[]).filter((part) =>
    part.type === "input_image" || part.type === "input_file"
  );
}

function lastUserItem(input: readonly UpstreamObject[]): UpstreamObject | undefined {
  return input.findLast((item) =>
    item.role === "user" || (item.type === "message" && item.role === undefined)
  );
}

/** The turns as Responses API input items: what a fresh session needs to know in order to go on. */
export function historyItems(turns: readonly Turn[]): UpstreamObject[] {
  const items: UpstreamObject[] = [];
  for (const turn of turns) {
    if (turn.input === undefined) continue;
    if (typeof turn.input === "string") items.push({ role: "user", content: turn.input });
    else {
      const user = lastUserItem(turn.input);
      if (user !== undefined) items.push(user);
    }
    const text = answerText(turn.answer);
    if (text !== "") items.push({ role: "assistant", content: text });
  }
  return items;
}

// MARK: applying events

/** The turns of one session, and which of them changed since somebody last asked. */
export class Transcript {
  turns: Turn[];
  /** Counts changes of the order that leave the number of turns as it was. */
  orderRevision = 0;
  readonly #byResponse = new Map<string, Turn>();
  readonly #byMessage = new Map<string, Turn>();
  readonly #date: () => number;

  constructor(turns: Turn[], date: () => number) {
    this.turns = turns;
    this.#date = date;
    this.#reindex();
  }

  turn(message: string): Turn | undefined {
    return this.#byMessage.get(message);
  }

  turnOfResponse(response: string): Turn | undefined {
    return this.#byResponse.get(response);
  }

  running(): Turn[] {
    return this.turns.filter(isRunning);
  }

  add(turn: Turn): void {
    this.turns.push(turn);
    this.#byMessage.set(turn.id, turn);
  }

  replace(turns: Turn[]): void {
    this.turns = turns;
    this.#reindex();
  }

  #reindex(): void {
    this.#byMessage.clear();
    this.#byResponse.clear();
    for (const turn of this.turns) {
      this.#byMessage.set(turn.id, turn);
      if (turn.answer) this.#byResponse.set(turn.answer.id, turn);
    }
  }

  /** Applies one event of the log; returns the turn that changed, and whether the list of turns did. */
  apply(event: LogEvent): { turn: Turn | undefined; listChanged: boolean } {
    const length = this.turns.length, order = this.orderRevision;
    const turn = this.#apply(event);
    return { turn, listChanged: this.turns.length !== length || this.orderRevision !== order };
  }

  #apply(event: LogEvent): Turn | undefined {
    if (event.type === "message") return this.#message(event);
    if (event.type === "response") return this.#response(event);
    const turn = this.#byResponse.get(event.response);
    const answer = turn?.answer;
    if (turn === undefined || answer === undefined) return undefined;
    delete answer.activity;
    switch (event.type) {
      case "delta":
        this.#delta(this.#item(answer, event.index), event);
        break;
      case "tool":
        applyTool(this.#item(answer, event.index), event);
        break;
      case "item":
        applyItem(this.#item(answer, event.index), event, this.#date());
        break;
      case "upstream_event":
        if (event.index !== undefined) {
          applyUpstream(this.#item(answer, event.index), event);
        }
        break;
      case "complete":
        finish(turn, answer, event);
        break;
    }
    return turn;
  }

  #message(event: { id: string; input?: MessageInput; input_bytes?: number }): Turn {
    const known = this.#byMessage.get(event.id);
    if (known !== undefined) {
      known.delivery = "accepted";
      delete known.problem;
      this.#moveBeforeUnsent(known);
      return known;
    }
    if (this.turns.length === 0 && event.input !== undefined && typeof event.input !== "string") {
      for (const turn of turnsOfHistory(event.input, event.id, this.#date())) this.add(turn);
    }
    const turn: Turn = { id: event.id, delivery: "accepted", created: this.#date() };
    if (event.input !== undefined) turn.input = event.input;
    if (event.input_bytes !== undefined) turn.input_bytes = event.input_bytes;
    this.add(turn);
    this.#moveBeforeUnsent(turn);
    return turn;
  }

  /** Accepted turns stand in the order of the log; what waits to be accepted stands behind them. */
  #moveBeforeUnsent(turn: Turn): void {
    const unsent = this.turns.findIndex((each) =>
      each !== turn && (each.delivery === "queued" || each.delivery === "sent")
    );
    const place = this.turns.indexOf(turn);
    if (unsent === -1 || place < unsent) return;
    this.turns.splice(place, 1);
    this.turns.splice(unsent, 0, turn);
    this.orderRevision++;
  }

  #response(event: ResponseEvent): Turn {
    let turn = this.#byMessage.get(event.message);
    if (turn === undefined) turn = this.#message({ id: event.message });
    turn.delivery = "accepted";
    if (turn.answer === undefined || turn.answer.id !== event.response) {
      turn.answer = { id: event.response, status: event.status, items: [], integrity: "pending" };
      this.#byResponse.set(event.response, turn);
    }
    turn.answer.status = event.status;
    if (event.model !== undefined) turn.answer.model = event.model;
    return turn;
  }

  #item(answer: Answer, index: number): OutputItem {
    const last = answer.items.at(-1);
    if (last?.index === index) return last;
    let place = answer.items.length;
    while (place > 0 && answer.items[place - 1]!.index > index) place--;
    const found = answer.items[place - 1];
    if (found?.index === index) return found;
    const item: OutputItem = { index, parts: [], began: this.#date() };
    answer.items.splice(place, 0, item);
    return item;
  }

  #delta(item: OutputItem, event: DeltaEvent): void {
    const number = event.part ?? 0;
    let part = item.parts.findLast((each) => each.kind === event.kind && each.part === number);
    if (part === undefined) {
      if (event.kind === "text" && item.parts.some((each) => each.kind === "text")) {
        item.arrived ??= itemText(item, "text");
      }
      part = { kind: event.kind, part: number, text: "" };
      item.parts.push(part);
    }
    part.text += event.text;
    if (event.kind === "text" && item.arrived !== undefined) item.arrived += event.text;
    item.ended = this.#date();
  }

  /** Why nothing comes, for one response. Returns the turn that changed. */
  state(frame: StateFrame): Turn | undefined {
    const turn = (frame.response !== undefined && this.#byResponse.get(frame.response)) ||
      (frame.message !== undefined && this.#byMessage.get(frame.message)) || undefined;
    if (turn?.answer && isRunning(turn)) turn.answer.activity = frame;
    return turn;
  }

  /** Puts a snapshot in the place of what was known of its responses. */
  snapshot(frame: SnapshotFrame): void {
    const told = new Set(frame.responses.map((each) => each.message));
    // What the gateway no longer tells but we still have stays in front: it is older than everything in the snapshot.
    const older = this.turns.filter((turn) => !told.has(turn.id) && isSettled(turn));
    const waiting = this.turns.filter((turn) => !told.has(turn.id) && !isSettled(turn));
    for (const turn of waiting) if (turn.answer) turn.answer.status = "interrupted";
    const rebuilt = frame.responses.map((each) => this.#rebuild(each));
    const unsent = waiting.filter((turn) => turn.answer === undefined);
    const lost = waiting.filter((turn) => turn.answer !== undefined);
    this.replace([...older, ...lost, ...rebuilt, ...unsent]);
  }

  #rebuild(told: SnapshotResponse): Turn {
    const known = this.#byMessage.get(told.message);
    const turn: Turn = known ??
      { id: told.message, delivery: "accepted", created: this.#date() };
    turn.delivery = "accepted";
    if (turn.input === undefined && told.input !== undefined) turn.input = told.input;
    if (told.input_bytes !== undefined) turn.input_bytes = told.input_bytes;
    const answer: Answer = {
      id: told.response,
      status: told.status,
      items: [],
      integrity: "pending",
      from_snapshot: true,
    };
    if (told.model !== undefined) answer.model = told.model;
    turn.answer = answer;
    for (const { index, item } of told.items ?? []) {
      applyItem(this.#item(answer, index), { index, item }, undefined);
    }
    for (const piece of told.partial ?? []) {
      const item = this.#item(answer, piece.index);
      if (item.item !== undefined) continue;
      this.#delta(item, { type: "delta", seq: 0, response: told.response, ...piece });
    }
    for (const item of answer.items) {
      delete item.began;
      delete item.ended;
    }
    if (told.complete !== undefined) {
      finish(turn, answer, { ...told.complete, type: "complete" });
    }
    return turn;
  }

  /** The session is gone: what was running can never be known to have ended. */
  interrupt(): Turn[] {
    const changed: Turn[] = [];
    for (const turn of this.turns) {
      if (turn.answer !== undefined && isRunning(turn)) {
        turn.answer.status = "interrupted";
        delete turn.answer.activity;
        delete turn.stopping;
        changed.push(turn);
      } else if (turn.delivery === "sent" || (turn.delivery === "accepted" && !turn.answer)) {
        turn.delivery = "unconfirmed";
        delete turn.stopping;
        changed.push(turn);
      }
    }
    return changed;
  }
}

function applyTool(item: OutputItem, event: ToolEvent): void {
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

function applyItem(
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
  const list = (value: unknown): UpstreamObject[] => Array.isArray(value) ? value : [];
  list(finished.content).forEach((content, part) => {
    if (content.type === "output_text") {
      add("text", part, content.text);
      annotations.push(...list(content.annotations));
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

function applyUpstream(item: OutputItem, { event }: UpstreamEvent): void {
  if (
    event.type === "response.output_text.annotation.added" &&
    typeof event.annotation === "object" && event.annotation !== null
  ) {
    (item.annotations ??= []).push(event.annotation as UpstreamObject);
  } else if (
    event.type === "response.image_generation_call.partial_image" &&
    typeof event.partial_image_b64 === "string"
  ) {
    item.partial_image = event.partial_image_b64;
  }
}

function finish(turn: Turn, answer: Answer, event: CompleteEvent): void {
  answer.status = event.status;
  answer.complete = event;
  delete answer.activity;
  delete turn.stopping;
  answer.integrity = verify(answer, event.text_sha256);
}

function verify(answer: Answer, expected: string | undefined): Integrity {
  if (expected === undefined) return "unchecked";
  let text = "";
  for (const item of answer.items) {
    if (item.arrived !== undefined) text += item.arrived;
    else for (const part of item.parts) if (part.kind === "text" && !part.late) text += part.text;
  }
  if (sha256Hex(text) === expected.toLowerCase()) return "verified";
  return answer.from_snapshot === true ? "unchecked" : "mismatch";
}

/** Earlier turns that travelled inside a message to a fresh session. */
function turnsOfHistory(input: readonly UpstreamObject[], id: string, now: number): Turn[] {
  const turns: Turn[] = [];
  const last = input.findLastIndex((item) => item.role === "user");
  for (const item of input.slice(0, Math.max(0, last))) {
    if (item.role === "user") {
      turns.push({
        id: `${id}.h${turns.length}`,
        input: [item],
        delivery: "accepted",
        created: now,
      });
    } else if (item.role === "assistant") {
      const turn = turns.at(-1);
      if (turn === undefined) continue;
      turn.answer = {
        id: `${turn.id}.r`,
        status: "completed",
        integrity: "unchecked",
        items: [{ index: 0, parts: [{ kind: "text", part: 0, text: String(item.content ?? "") }] }],
      };
    }
  }
  return turns;
}
