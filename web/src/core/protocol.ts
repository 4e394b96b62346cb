/**
 * Every frame of the native protocol `millrace.v1`, and nothing else: docs/protocol.md as types.
 *
 * Field names are the wire's own. Unknown fields and unknown frame types are kept, since fields and types are only
 * ever added within `v1`.
 */

export const SUBPROTOCOL = "millrace.v1";

// MARK: shared parts

/** An item of the Responses API, or a piece of one, as upstream wrote it. */
export type UpstreamObject = { readonly type?: string; readonly [field: string]: unknown };

/** What a message says: a text, or Responses API input items. */
export type MessageInput = string | readonly UpstreamObject[];

/** Request parameters of the Responses API; the gateway accepts those that its `options.allow` lists. */
export interface MessageOptions {
  readonly model?: string;
  readonly instructions?: string;
  readonly reasoning?: { readonly effort?: string; readonly summary?: string };
  readonly text?: { readonly format?: UpstreamObject; readonly verbosity?: string };
  readonly temperature?: number;
  readonly max_output_tokens?: number;
  readonly [parameter: string]: unknown;
}

export interface Limits {
  readonly message_bytes?: number;
  readonly frames_per_s?: number;
  readonly responses_per_connection?: number;
  readonly responses_per_session?: number;
  readonly [name: string]: number | undefined;
}

export interface Usage {
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly total_tokens?: number;
  readonly input_tokens_details?: { readonly cached_tokens?: number };
  readonly output_tokens_details?: { readonly reasoning_tokens?: number };
}

export interface Timing {
  readonly first_event_ms?: number;
  readonly first_text_ms?: number;
  readonly total_ms?: number;
}

export interface ResponseError {
  readonly code: string;
  readonly message: string;
  readonly retryable?: boolean;
  readonly upstream_status?: number;
  readonly upstream_code?: string;
  readonly request_id?: string;
}

export type RunningStatus = "queued" | "in_progress";
export type FinalStatus = "completed" | "incomplete" | "failed" | "cancelled";

// MARK: client to gateway

export type ClientFrame =
  | {
    readonly type: "hello";
    readonly auth?: string;
    readonly resume?: { readonly token: string; readonly after: number };
  }
  | {
    readonly type: "message";
    readonly id: string;
    readonly input: MessageInput;
    readonly options?: MessageOptions;
  }
  | { readonly type: "cancel"; readonly response?: string; readonly message?: string }
  | { readonly type: "ping"; readonly id?: string }
  | { readonly type: "tool_output"; readonly call_id: string; readonly output: unknown };

// MARK: gateway to client, events of the log

/** The place of an event in the log. A merged event stands for `from`…`seq`. */
export interface Position {
  readonly seq: number;
  readonly from?: number;
}

export interface MessageEvent extends Position {
  readonly type: "message";
  readonly id: string;
  readonly input?: MessageInput;
  /** Stands in place of an `input` too large to echo. */
  readonly input_bytes?: number;
}

export interface ResponseEvent extends Position {
  readonly type: "response";
  readonly response: string;
  readonly message: string;
  readonly model?: string;
  readonly status: RunningStatus;
}

/** `text`, `refusal`, `reasoning`, `reasoning_summary`, `audio`, `audio_transcript`; the list may grow. */
export type DeltaKind = string;

export interface DeltaEvent extends Position {
  readonly type: "delta";
  readonly response: string;
  readonly index: number;
  readonly kind: DeltaKind;
  readonly part?: number;
  readonly text: string;
}

export interface ToolEvent extends Position {
  readonly type: "tool";
  readonly response: string;
  readonly index: number;
  /** `function`, `custom`, `web_search`, `mcp`, …; the list may grow. */
  readonly kind: string;
  readonly status: string;
  readonly call_id?: string;
  readonly name?: string;
  readonly delta?: string;
  readonly arguments?: unknown;
  readonly output?: unknown;
}

export interface ItemEvent extends Position {
  readonly type: "item";
  readonly response: string;
  readonly index: number;
  readonly item: UpstreamObject;
}

export interface UpstreamEvent extends Position {
  readonly type: "upstream_event";
  readonly response: string;
  readonly index?: number;
  readonly event: UpstreamObject;
}

/** The answer broke off, and another upstream goes on with it: what follows has an `index` of at least this one. */
export interface SeamEvent extends Position {
  readonly type: "seam";
  readonly response: string;
  readonly index: number;
  /** The code of what broke. */
  readonly reason?: string;
}

export interface CompleteEvent extends Position {
  readonly type: "complete";
  readonly response: string;
  readonly message: string;
  readonly status: FinalStatus;
  readonly reason?: string;
  readonly error?: ResponseError;
  readonly usage?: Usage;
  readonly timing?: Timing;
  readonly text_sha256?: string;
  readonly text_bytes?: number;
  readonly upstream_response?: string;
  readonly upstream_closed_us?: number;
  /** The `index` of each seam. */
  readonly seams?: readonly number[];
}

export type LogEvent =
  | MessageEvent
  | ResponseEvent
  | DeltaEvent
  | ToolEvent
  | ItemEvent
  | UpstreamEvent
  | SeamEvent
  | CompleteEvent;

// MARK: gateway to client, about this connection

export interface ReadyFrame {
  readonly type: "ready";
  readonly session: string;
  readonly epoch: string;
  readonly seq: number;
  readonly resume_token: string;
  readonly expires_in_s?: number;
  readonly recovered: boolean;
  readonly reason?: string;
  readonly heartbeat_s?: number;
  readonly limits?: Limits;
  /** What `message.options` may hold, where the gateway tells. */
  readonly options?: {
    readonly allow?: readonly string[];
    /** What `model` may be, in the order in which to offer it; absent: anything. */
    readonly models?: readonly string[];
    /** Of messages that name none. */
    readonly model?: string;
  };
}

export interface StateFrame {
  readonly type: "state";
  readonly response?: string;
  readonly message?: string;
  /** `queued`, `connecting`, `waiting`, `retrying`, `upstream_silent`, `paused`, `attached`; the list may grow. */
  readonly state: string;
  readonly since_ms?: number;
  /** With `queued`: how long it waits at most. */
  readonly until_ms?: number;
  readonly retry_in_ms?: number;
  readonly attempt?: number;
  readonly seq?: number;
  readonly status?: string;
}

export interface SnapshotResponse {
  readonly response: string;
  readonly message: string;
  readonly input?: MessageInput;
  readonly input_bytes?: number;
  readonly model?: string;
  readonly status: RunningStatus | FinalStatus;
  readonly items?: readonly { readonly index: number; readonly item: UpstreamObject }[];
  readonly partial?: readonly {
    readonly index: number;
    readonly kind: DeltaKind;
    readonly part?: number;
    readonly text: string;
  }[];
  readonly seams?: readonly number[];
  readonly complete?: Omit<CompleteEvent, "type"> & { readonly type?: "complete" };
}

export interface SnapshotFrame {
  readonly type: "snapshot";
  readonly through: number;
  readonly truncated?: boolean;
  readonly responses: readonly SnapshotResponse[];
}

export interface ErrorFrame {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  readonly retryable?: boolean;
  readonly retry_after_ms?: number;
  readonly message_id?: string;
}

export interface TokenFrame {
  readonly type: "token";
  readonly resume_token: string;
  readonly expires_in_s?: number;
}

export interface GoingAwayFrame {
  readonly type: "going_away";
  readonly reconnect_after_ms?: number;
}

export interface PongFrame {
  readonly type: "pong";
  readonly id?: string;
}

export type ConnectionFrame =
  | ReadyFrame
  | StateFrame
  | SnapshotFrame
  | ErrorFrame
  | TokenFrame
  | GoingAwayFrame
  | PongFrame;

/** A type that this client does not know. When it has a `seq` it still moves the position. */
export interface UnknownFrame {
  readonly type: "unknown";
  readonly seq?: number;
  readonly from?: number;
  readonly frame: UpstreamObject;
}

export type ServerFrame = LogEvent | ConnectionFrame | UnknownFrame;

const LOG_TYPES = new Set([
  "message",
  "response",
  "delta",
  "tool",
  "item",
  "upstream_event",
  "seam",
  "complete",
]);
const CONNECTION_TYPES = new Set([
  "ready",
  "state",
  "snapshot",
  "error",
  "token",
  "going_away",
  "pong",
]);

/** Whether a frame is an event of the log, and therefore moves the position. */
export function isLogEvent(frame: ServerFrame): frame is LogEvent {
  return LOG_TYPES.has(frame.type);
}

/** Something that is no frame of this protocol. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/**
 * Reads one text frame of the socket, which holds one or several objects separated by newlines.
 *
 * Only what the client relies on is checked; the gateway's tests check the rest against the JSON Schemas.
 */
export function decodeFrames(text: string): ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    frames.push(decodeFrame(line));
  }
  return frames;
}

function decodeFrame(line: string): ServerFrame {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new FrameError("a frame is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FrameError("a frame is not an object");
  }
  const frame = value as Record<string, unknown>;
  if (typeof frame.type !== "string") throw new FrameError("a frame has no type");
  if (CONNECTION_TYPES.has(frame.type)) return checkConnectionFrame(frame);
  if (LOG_TYPES.has(frame.type)) {
    if (!isPosition(frame.seq)) throw new FrameError(`a ${frame.type} has no seq`);
    if (frame.from !== undefined && (!isPosition(frame.from) || frame.from > frame.seq)) {
      throw new FrameError(`a ${frame.type} has a bad range`);
    }
    for (const field of REQUIRED_STRINGS[frame.type] ?? []) {
      if (typeof frame[field] !== "string") throw new FrameError(`a ${frame.type} has no ${field}`);
    }
    if (HAS_INDEX.has(frame.type) && !Number.isSafeInteger(frame.index)) {
      throw new FrameError(`a ${frame.type} has no index`);
    }
    return frame as unknown as LogEvent;
  }
  const unknown: { -readonly [K in keyof UnknownFrame]: UnknownFrame[K] } = {
    type: "unknown",
    frame: frame as UpstreamObject,
  };
  if (isPosition(frame.seq)) unknown.seq = frame.seq;
  if (isPosition(frame.from)) unknown.from = frame.from;
  return unknown;
}

const REQUIRED_STRINGS: Record<string, readonly string[]> = {
  message: ["id"],
  response: ["response", "message", "status"],
  delta: ["response", "kind", "text"],
  tool: ["response", "kind", "status"],
  item: ["response"],
  upstream_event: ["response"],
  seam: ["response"],
  complete: ["response", "status"],
};
const HAS_INDEX = new Set(["delta", "tool", "item", "seam"]);

function checkConnectionFrame(frame: Record<string, unknown>): ConnectionFrame {
  if (frame.type === "ready") {
    if (typeof frame.resume_token !== "string" || typeof frame.epoch !== "string") {
      throw new FrameError("a ready has no resume_token or epoch");
    }
  } else if (frame.type === "snapshot") {
    if (!isPosition(frame.through) || !Array.isArray(frame.responses)) {
      throw new FrameError("a snapshot has no through or responses");
    }
  }
  return frame as unknown as ConnectionFrame;
}

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

// MARK: close codes

/** Hello timeout, heartbeat timeout, slow reader. */
const RESUMED = new Set([4408, 4409, 4410]);

export type ReconnectRule = "resume" | "after_pause" | "never";

/** What to do after a close: docs/protocol.md §6. */
export function reconnectRule(code: number): ReconnectRule {
  switch (code) {
    case 1003:
    case 1007:
    case 1009:
    case 4400:
    case 4401:
      return "never";
    case 1002:
    case 1013:
    case 4429:
      return "after_pause";
    default:
      return code >= 4000 && !RESUMED.has(code) ? "never" : "resume";
  }
}
