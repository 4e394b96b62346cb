import { ChatStreamClient, type ChatStreamOptions } from "../core/client.ts";
import { nextRetryId, splitRetryId } from "../core/message-id.ts";
import type { MessageInput, MessageOptions } from "../core/protocol.ts";
import { isRunning, isSettled, type Turn } from "../core/turn.ts";
import { ChunkWriter } from "./chunks.ts";
import { historyOf, inputOf, toolOutputs, wireId } from "./messages.ts";
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

interface Chat {
  readonly client: ChatStreamClient;
  /** The stored session is read. */
  readonly loaded: Promise<void>;
  /** The newest request to resume: an older one that it replaces is let go, not stopped. */
  resume: object | undefined;
}

/**
 * Lets the AI SDK's chat (`useChat({ transport })`) talk to a gateway.
 *
 * Stop and resume both work: `abortSignal` sends a cancel, and `reconnectToStream` finds a running answer again after
 * a reload, because a lost connection ends nothing.
 */
export class MillraceChatTransport implements ChatTransport {
  readonly #options: MillraceTransportOptions;
  readonly #chats = new Map<string, Chat>();

  constructor(options: MillraceTransportOptions) {
    this.#options = options;
  }

  async sendMessages(options: SendMessagesOptions): Promise<ReadableStream<UIMessageChunk>> {
    const { abortSignal } = options;
    const { client, loaded } = this.#chat(options.chatId);
    await loaded; // What was said before a reload decides what this message is.
    if (abortSignal?.aborted) return empty();
    const last = options.messages.at(-1);
    if (last?.role === "assistant" && options.trigger === "submit-message") {
      return this.#sendToolOutputs(client, last, options);
    }
    const message = options.messages.findLast((each) => each.role === "user");
    if (message === undefined) throw new TypeError("there is no message to send");
    const turn = this.#turnFor(client, message, options);
    if (turn === undefined) throw new TypeError("this message cannot be repeated");
    return stream(client, turn, abortSignal, () => true);
  }

  async reconnectToStream(
    options: ReconnectOptions,
  ): Promise<ReadableStream<UIMessageChunk> | null> {
    const chat = this.#chat(options.chatId), { client } = chat, resume = {};
    chat.resume = resume;
    await chat.loaded;
    await connected(client, options.abortSignal);
    if (options.abortSignal?.aborted) return null;
    const turn = client.turns.findLast((each) => isRunning(each) || !isSettled(each));
    if (turn === undefined) return null;
    return stream(client, turn, options.abortSignal, () => chat.resume === resume);
  }

  /** Closes every connection. Running answers go on at the gateway. */
  dispose(): void {
    for (const { client } of this.#chats.values()) client.dispose();
    this.#chats.clear();
  }

  /** The client of one chat, for what the SDK has no words for. */
  client(chatId: string): ChatStreamClient {
    return this.#chat(chatId).client;
  }

  #chat(chatId: string): Chat {
    let chat = this.#chats.get(chatId);
    if (chat === undefined) {
      const client = new ChatStreamClient({ ...this.#options, key: chatId });
      chat = { client, loaded: Promise.resolve(client.start()), resume: undefined };
      this.#chats.set(chatId, chat);
      // Another page has removed it, and this client has ended: who goes on begins anew.
      client.subscribe(({ type }) => void (type === "removed" && this.#chats.delete(chatId)));
    }
    return chat;
  }

  /**
   * The turn that answers a message of the user.
   *
   * A message that is asked again (another wording, another answer, one that failed) parts from the conversation
   * there, and is named after the first: `ID:2`. So it is found again after a reload, with nothing else kept.
   */
  #turnFor(
    client: ChatStreamClient,
    message: UIMessage,
    options: SendMessagesOptions,
  ): Turn | undefined {
    const id = wireId(message.id), input = inputOf(message), chosen = this.#parameters(options);
    const known = client.turns.findLast((turn) => splitRetryId(turn.id)[0] === id);
    if (known === undefined) {
      return client.send(this.#told(client, message, input, options), chosen, id);
    }
    const again = options.trigger === "regenerate-message" || options.messageId !== undefined ||
      (known.answer?.status ?? "completed") !== "completed";
    if (!isSettled(known) || !again) return known;
    return client.branch(known.id, input, chosen, nextRetryId(known.id));
  }

  /** A conversation that the application kept and the gateway has never heard is told with its next message. */
  #told(
    client: ChatStreamClient,
    message: UIMessage,
    input: MessageInput,
    { messages }: SendMessagesOptions,
  ): MessageInput {
    const before = messages.slice(0, messages.indexOf(message));
    if (client.turns.length > 0 || before.length === 0) return input;
    const said = typeof input === "string" ? [{ role: "user", content: input }] : input;
    return [...historyOf(before), ...said];
  }

  /** The application has run the tools that the model asked for: their outputs are the next message. */
  #sendToolOutputs(
    client: ChatStreamClient,
    message: UIMessage,
    options: SendMessagesOptions,
  ): ReadableStream<UIMessageChunk> {
    const outputs = toolOutputs(message);
    if (outputs.length === 0) throw new TypeError("there is no tool output to send");
    const id = wireId(`o_${outputs.at(-1)!.call_id}`);
    const turn = client.send(outputs, this.#parameters(options), id);
    // What comes is the rest of the message that asked: it keeps its id.
    return stream(client, turn, options.abortSignal, () => true, { continues: true });
  }

  #parameters({ body }: SendMessagesOptions): MessageOptions {
    return { ...this.#options.options, ...body };
  }
}

function empty(): ReadableStream<UIMessageChunk> {
  return new ReadableStream({ start: (controller) => controller.close() });
}

/** Until the replay is applied, or it is clear that there is no connection now. */
function connected(client: ChatStreamClient, abort: AbortSignal | undefined): Promise<void> {
  const isOpen = () => {
    const { phase } = client.connection;
    return phase === "idle" || phase === "connecting";
  };
  if (!isOpen() || abort?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      unsubscribe();
      abort?.removeEventListener("abort", done);
      resolve();
    };
    const unsubscribe = client.subscribe(() => {
      if (!isOpen()) done();
    });
    abort?.addEventListener("abort", done, { once: true });
  });
}

/** As it ends where nobody reads on. */
function cancelled({ answer, ...turn }: Turn): Turn {
  return answer === undefined
    ? { ...turn, delivery: "withdrawn" }
    : { ...turn, answer: { ...answer, status: "cancelled" } };
}

/** `isCurrent`: whether an abort means the answer, or only this way of reading it. */
function stream(
  client: ChatStreamClient,
  turn: Turn,
  abort: AbortSignal | undefined,
  isCurrent: () => boolean,
  how: { readonly continues?: boolean } = {},
): ReadableStream<UIMessageChunk> {
  const writer = new ChunkWriter(how);
  const { id } = turn;
  let stop = () => {};
  return new ReadableStream<UIMessageChunk>({
    start(controller) {
      const write = (isRemoved = false) => {
        const known = client.turns.find((each) => each.id === id) ?? turn;
        const current = isRemoved ? cancelled(known) : known;
        for (const chunk of writer.write(current)) controller.enqueue(chunk);
        if (!writer.ended) return;
        stop();
        controller.close();
      };
      const unsubscribe = client.subscribe((change) => {
        if (change.type === "turns" || (change.type === "turn" && change.id === id)) write();
        if (change.type === "removed") write(true);
      });
      // The SDK aborts a resume also when it begins the next one, and says so only after the abort.
      const cancel = () => queueMicrotask(() => isCurrent() && client.stop(id));
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
