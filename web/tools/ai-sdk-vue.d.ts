/**
 * As much of `@ai-sdk/vue` as the README's example uses, after its documentation: that needs no npm to be checked.
 *
 * The transport is spelled out here once more, not taken from `src/ai-sdk/types.ts`, so that the two are compared.
 */

import type { Ref } from "vue";

interface UIMessage {
  id: string;
  role: "system" | "user" | "assistant";
  metadata?: unknown;
  parts: { type: string }[];
}

interface RequestOptions {
  headers?: Record<string, string> | Headers;
  body?: object;
  metadata?: unknown;
}

interface ChatTransport {
  sendMessages(
    options: {
      trigger: "submit-message" | "regenerate-message";
      chatId: string;
      messageId: string | undefined;
      messages: UIMessage[];
      abortSignal: AbortSignal | undefined;
    } & RequestOptions,
  ): Promise<ReadableStream<{ type: string }>>;
  reconnectToStream(
    options: { chatId: string } & RequestOptions,
  ): Promise<ReadableStream<{ type: string }> | null>;
}

export function useChat(options: { id?: string; transport?: ChatTransport }): {
  messages: Ref<UIMessage[]>;
  sendMessage(message: { text: string }, options?: RequestOptions): Promise<void>;
  stop(): Promise<void>;
  resumeStream(options?: RequestOptions): Promise<void>;
};
