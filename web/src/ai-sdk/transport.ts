import { ChatStreamClient, type ChatStreamOptions } from "../core/client.ts";
import type { MessageInput, MessageOptions, UpstreamObject } from "../core/protocol.ts";
import { isRunning, isSettled, type Turn } from "../core/turn.ts";
import { ChunkWriter } from "./chunks.ts";
import type {
  ChatTransport,
  ReconnectOptions,
  SendMessagesOptions,
  UIMessage,
  UIMessageChunk,
} from "./types.ts";

export interface MillraceTransportOptions extends Omit<ChatStreamOptions, "key"> {
  /** Parameters for every message; `body` of a single call comes on top. */
  readonly options?: MessageOptions;
}

/**
 * Lets the AI SDK's chat (`new Chat({ transport })`) talk to a gateway.
 *
 * Stop and resume both work: `abortSignal` sends a cancel, and `reconnectToStream` finds a running answer again after
 * a reload, because a lost connection ends nothing.
 */
export class MillraceChatTransport implements ChatTransport {
  readonly #options: MillraceTransportOptions;
  readonly #clients = new Map<string, ChatStreamClient>();

  constructor(options: MillraceTransportOptions) {
    this.#options = options;
  }

  sendMessages(options: SendMessagesOptions): Promise<ReadableStream<UIMessageChunk>> {
    const client = this.#client(options.chatId);
    const message = options.messages.findLast((each) => each.role === "user");
    if (message === undefined) return Promise.reject(new TypeError("there is no message to send"));
    const input = inputOf(message);
    const chosen: MessageOptions = { ...this.#options.options, ...options.body };
    const known = client.turns.find((turn) => turn.id === wireId(message.id));
    const turn = options.trigger === "regenerate-message" && known !== undefined
      ? client.branch(known.id, input, chosen)
      : client.send(input, chosen, wireId(message.id));
    if (turn === undefined) return Promise.reject(new TypeError("this message cannot be repeated"));
    return Promise.resolve(this.#stream(client, turn, options.abortSignal));
  }

  async reconnectToStream(
    options: ReconnectOptions,
  ): Promise<ReadableStream<UIMessageChunk> | null> {
    const client = this.#client(options.chatId);
    await this.#settled(client);
    const turn = client.turns.findLast((each) => isRunning(each) || !isSettled(each));
    return turn === undefined ? null : this.#stream(client, turn, options.abortSignal);
  }

  /** Closes every connection. Running answers go on at the gateway. */
  dispose(): void {
    for (const client of this.#clients.values()) client.dispose();
    this.#clients.clear();
  }

  /** The client of one chat, for what the SDK has no words for. */
  client(chatId: string): ChatStreamClient {
    return this.#client(chatId);
  }

  #client(chatId: string): ChatStreamClient {
    let client = this.#clients.get(chatId);
    if (client === undefined) {
      client = new ChatStreamClient({ ...this.#options, key: chatId });
      this.#clients.set(chatId, client);
      client.start();
    }
    return client;
  }

  /** Until the stored session is read and its replay applied, or it is clear that there is no connection now. */
  #settled(client: ChatStreamClient): Promise<void> {
    const isOpen = () =>
      client.connection.phase === "idle" || client.connection.phase === "connecting";
    if (!isOpen()) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = client.subscribe(() => {
        if (isOpen()) return;
        stop();
        resolve();
      });
    });
  }

  #stream(
    client: ChatStreamClient,
    turn: Turn,
    abort: AbortSignal | undefined,
  ): ReadableStream<UIMessageChunk> {
    const writer = new ChunkWriter();
    const id = turn.id;
    let stop = () => {};
    return new ReadableStream<UIMessageChunk>({
      start(controller) {
        const write = () => {
          const current = client.turns.find((each) => each.id === id) ?? turn;
          for (const chunk of writer.write(current)) controller.enqueue(chunk);
          if (!writer.ended) return;
          stop();
          controller.close();
        };
        const unsubscribe = client.subscribe((change) => {
          if (change.type === "turns" || (change.type === "turn" && change.id === id)) write();
        });
        const cancel = () => client.stop(id);
        abort?.addEventListener("abort", cancel, { once: true });
        stop = () => {
          unsubscribe();
          abort?.removeEventListener("abort", cancel);
        };
        if (abort?.aborted) cancel();
        write();
      },
      // The reader went away. That is no cancel: the answer goes on and can be resumed.
      cancel: () => stop(),
    });
  }
}

/** The SDK's message ids have other characters than the gateway's may have. */
function wireId(id: string): string {
  return id.replace(/[^A-Za-z0-9_.-]/g, "_").slice(0, 60) || "m";
}

function inputOf(message: UIMessage): MessageInput {
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
  const [only] = content;
  if (content.length === 1 && only?.type === "input_text") return String(only.text);
  return [{ role: "user", content }];
}
