/**
 * The part of the Vercel AI SDK's published interface that the adapter fills: `ChatTransport` and the chunks of its
 * UI message stream (ai-sdk.dev, version 6 and 7). Structural, so that `ai` need not be installed here.
 */

export interface UIMessagePart {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface UIMessage {
  readonly id: string;
  readonly role: "system" | "user" | "assistant";
  readonly parts: readonly UIMessagePart[];
  readonly metadata?: unknown;
}

export type FinishReason =
  | "stop"
  | "length"
  | "content-filter"
  | "tool-calls"
  | "error"
  | "other";

export type UIMessageChunk =
  | { type: "start"; messageId?: string; messageMetadata?: unknown }
  | { type: "start-step" }
  | { type: "finish-step" }
  | { type: "text-start"; id: string }
  | { type: "text-delta"; id: string; delta: string }
  | { type: "text-end"; id: string }
  | { type: "reasoning-start"; id: string }
  | { type: "reasoning-delta"; id: string; delta: string }
  | { type: "reasoning-end"; id: string }
  | {
    type: "tool-input-start";
    toolCallId: string;
    toolName: string;
    providerExecuted?: boolean;
    dynamic?: boolean;
  }
  | { type: "tool-input-delta"; toolCallId: string; inputTextDelta: string }
  | {
    type: "tool-input-available";
    toolCallId: string;
    toolName: string;
    input: unknown;
    providerExecuted?: boolean;
    dynamic?: boolean;
  }
  | {
    type: "tool-input-error";
    toolCallId: string;
    toolName: string;
    input: unknown;
    errorText: string;
    providerExecuted?: boolean;
    dynamic?: boolean;
  }
  | {
    type: "tool-output-available";
    toolCallId: string;
    output: unknown;
    providerExecuted?: boolean;
    dynamic?: boolean;
  }
  | {
    type: "tool-output-error";
    toolCallId: string;
    errorText: string;
    providerExecuted?: boolean;
    dynamic?: boolean;
  }
  | { type: "source-url"; sourceId: string; url: string; title?: string }
  | {
    type: "source-document";
    sourceId: string;
    mediaType: string;
    title: string;
    filename?: string;
  }
  | { type: "file"; url: string; mediaType: string }
  | { type: "message-metadata"; messageMetadata: unknown }
  | { type: "finish"; finishReason?: FinishReason; messageMetadata?: unknown }
  | { type: "abort"; reason?: string }
  | { type: "error"; errorText: string };

export interface SendMessagesOptions {
  readonly trigger: "submit-message" | "regenerate-message";
  readonly chatId: string;
  readonly messageId: string | undefined;
  readonly messages: readonly UIMessage[];
  readonly abortSignal: AbortSignal | undefined;
  readonly body?: object;
}

export interface ReconnectOptions {
  readonly chatId: string;
  readonly abortSignal?: AbortSignal | undefined;
}

export interface ChatTransport {
  sendMessages(options: SendMessagesOptions): Promise<ReadableStream<UIMessageChunk>>;
  reconnectToStream(options: ReconnectOptions): Promise<ReadableStream<UIMessageChunk> | null>;
}
