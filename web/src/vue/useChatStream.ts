import {
  computed,
  type ComputedRef,
  getCurrentScope,
  onScopeDispose,
  type ShallowRef,
  shallowRef,
} from "vue";
import { BrowserEnvironment, sameOriginUrl } from "../browser/environment.ts";
import { ChatStreamClient, type ChatStreamOptions } from "../core/client.ts";
import type { ConnectionState, Notice } from "../core/connection-state.ts";
import type { Environment } from "../core/environment.ts";
import type { MessageInput, MessageOptions } from "../core/protocol.ts";
import { answerText, inputText, isRunning, isSettled, type Turn } from "../core/turn.ts";
import { AnimationFrameScheduler, type FrameScheduler } from "./scheduler.ts";

let madeViews = 0;

/**
 * One turn as a template reads it: every getter is reactive, and only readers of this turn are told when it changes.
 *
 * A turn is written to once per animation frame, however many deltas arrived in between.
 */
export class TurnView {
  readonly id: string;
  /** No other view has it: what is drawn of one turn is not that of another one of the same id. */
  readonly key = madeViews++;
  readonly #turn: Turn;
  readonly #revision = shallowRef(0);

  constructor(turn: Turn) {
    this.id = turn.id;
    this.#turn = turn;
  }

  /** The data itself; it changes in place. */
  get turn(): Turn {
    void this.#revision.value;
    return this.#turn;
  }

  /** The same without being told of its changes: for what is drawn because of something else. */
  get current(): Turn {
    return this.#turn;
  }

  /** What the user wrote. */
  get question(): string {
    return inputText(this.turn.input);
  }

  /** The text of the answer so far. */
  get text(): string {
    return answerText(this.turn.answer);
  }

  get status(): string {
    return this.turn.answer?.status ?? this.turn.delivery;
  }

  get running(): boolean {
    return isRunning(this.turn);
  }

  isOf(turn: Turn): boolean {
    return this.#turn === turn;
  }

  touch(): void {
    this.#revision.value++;
  }
}

export type ChatStatus = "idle" | "submitted" | "streaming" | "error";

export interface UseChatStreamOptions extends Partial<Omit<ChatStreamOptions, "environment">> {
  readonly environment?: Environment;
  readonly scheduler?: FrameScheduler;
  readonly onNotice?: (notice: Notice) => void;
  /** Connect at once (default true); else call `start()`. */
  readonly immediate?: boolean;
}

export interface ChatStream {
  readonly client: ChatStreamClient;
  readonly turns: ShallowRef<readonly TurnView[]>;
  readonly connection: ShallowRef<ConnectionState>;
  /** `submitted`: sent, nothing has come; `streaming`; `error`: the last turn failed. */
  readonly status: ShallowRef<ChatStatus>;
  readonly busy: ComputedRef<boolean>;
  start(): void;
  send(input: MessageInput, options?: MessageOptions): Turn;
  stop(message?: string): void;
  /** Sends a failed message again. */
  retry(message: string, options?: MessageOptions): void;
  /** Asks for another answer to the same message. */
  regenerate(message: string, options?: MessageOptions): void;
  /** Goes on from an earlier message with another wording. */
  edit(message: string, input: MessageInput, options?: MessageOptions): void;
  switchTo(message: string, version: number): void;
  discard(message: string): void;
  reconnect(): void;
  dispose(): void;
}

/**
 * A conversation as refs. Ends with the scope that called it; safe to import, and to call, on a server (where it
 * stays idle).
 */
export function useChatStream(options: UseChatStreamOptions = {}): ChatStream {
  // Servers have a WebSocket of their own by now; what they have not is a page.
  const onServer = typeof document === "undefined" && options.environment === undefined;
  const { scheduler = new AnimationFrameScheduler(), onNotice, immediate = true, ...rest } =
    options;
  const client = new ChatStreamClient({
    ...rest,
    url: options.url ?? (onServer ? "ws://localhost/v1/chat" : sameOriginUrl()),
    environment: options.environment ?? new BrowserEnvironment(),
  });

  const turns = shallowRef<readonly TurnView[]>([]);
  const connection = shallowRef(client.connection);
  const status = shallowRef<ChatStatus>("idle");

  const dirty = new Set<string>();
  let listDirty = false;
  let connectionDirty = false;

  const flush = () => {
    if (listDirty) {
      const known = new Map(turns.value.map((view) => [view.id, view]));
      turns.value = client.turns.map((turn) => {
        const view = known.get(turn.id);
        return view?.isOf(turn) ? view : new TurnView(turn);
      });
    }
    for (const view of turns.value) {
      if (dirty.has(view.id)) view.touch();
    }
    status.value = statusOf(client.turns);
    if (connectionDirty) connection.value = client.connection;
    dirty.clear();
    listDirty = connectionDirty = false;
  };

  const unsubscribe = client.subscribe((change) => {
    switch (change.type) {
      case "stored":
      case "removed":
        return;
      case "notice":
        flush();
        return onNotice?.(change.notice);
      case "connection":
        connectionDirty = true;
        break;
      case "turns":
        listDirty = true;
        break;
      case "turn":
        dirty.add(change.id);
        break;
    }
    scheduler.request(flush);
  });

  const dispose = () => {
    unsubscribe();
    scheduler.cancel();
    client.dispose();
  };
  if (getCurrentScope() !== undefined) onScopeDispose(dispose);
  const start = () => {
    if (!onServer) client.start();
  };
  if (immediate) start();

  return {
    client,
    turns,
    connection,
    status,
    busy: computed(() => status.value === "submitted" || status.value === "streaming"),
    start,
    send: (input, messageOptions) => client.send(input, messageOptions),
    stop: (message) => client.stop(message),
    retry: (message, messageOptions) => void client.retry(message, messageOptions),
    regenerate: (message, messageOptions) => void client.branch(message, undefined, messageOptions),
    edit: (message, input, messageOptions) => void client.branch(message, input, messageOptions),
    switchTo: (message, version) => client.switchTo(message, version),
    discard: (message) => client.discard(message),
    reconnect: () => client.reconnect(),
    dispose,
  };
}

function statusOf(turns: readonly Turn[]): ChatStatus {
  const unsettled = turns.find((turn) => !isSettled(turn));
  if (unsettled !== undefined) {
    return (unsettled.answer?.items.length ?? 0) > 0 ? "streaming" : "submitted";
  }
  const last = turns.at(-1);
  const ended = last?.answer?.status ?? last?.delivery;
  return ended === "failed" || ended === "refused" || ended === "unconfirmed" ? "error" : "idle";
}
