import { branchFrom, switchBranch, withoutTurn } from "./branches.ts";
import { ChangeFeed } from "./change-feed.ts";
import type { Change, ConnectionState } from "./connection-state.ts";
import type { Environment, PageSignal } from "./environment.ts";
import { Inbox } from "./inbox.ts";
import { Link, type LinkOptions } from "./link.ts";
import { isRemoved, isSameLife, mergeSessions } from "./merge.ts";
import { newRandomId, nextRetryId } from "./message-id.ts";
import { Outbox } from "./outbox.ts";
import type { MessageInput, MessageOptions } from "./protocol.ts";
import { SessionKeeper } from "./session-keeper.ts";
import { SessionPlace } from "./session-place.ts";
import { type Awaitable, MemoryStore, type SessionStore } from "./store.ts";
import type { StoredSession } from "./stored-session.ts";
import { Transcript } from "./transcript.ts";
import { isRunning, isSettled, type Turn } from "./turn.ts";

export interface ChatStreamOptions extends LinkOptions {
  /** Name under which the store keeps this conversation. */
  readonly key?: string;
  readonly store?: SessionStore;
  /** Wait with a message until the answer before it has ended (default true): it continues that answer. */
  readonly sequential?: boolean;
}

/**
 * One conversation with the gateway: it survives lost connections, reloads and sleeping machines.
 *
 * It has no clock, timer, socket or random source of its own: see `Environment`. The connection is the `Link`'s, the
 * session and the position in its log the `SessionPlace`'s, what the gateway says the `Inbox`'s and what is to be said
 * the `Outbox`'s, what it all amounts to the `Transcript`'s, and what is stored the `SessionKeeper`'s. What is left to
 * the client is what its user does, and what other pages have done.
 */
export class ChatStreamClient {
  readonly key: string;
  readonly #environment: Environment;
  readonly #feed = new ChangeFeed();
  readonly #transcript: Transcript;
  readonly #link: Link;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #keeper: SessionKeeper;
  #stopObserving: (() => void) | undefined;
  #disposed = false;

  readonly #place = new SessionPlace();

  constructor(options: ChatStreamOptions) {
    this.key = options.key ?? "default";
    this.#environment = options.environment;
    this.#transcript = new Transcript([], () => this.#environment.date());
    const isRunningAny = () => this.#transcript.turns.some(isRunning);
    this.#link = new Link(options, {
      session: () => this.#place.session,
      resume: () => this.#place.resume,
      isBusy: () => this.turns.some((turn) => !isSettled(turn) && turn.delivery !== "queued"),
      isRunning: isRunningAny,
      received: (text) => this.#inbox.received(text),
      dropped: () => this.#feed.release(),
      lost: (code, refused) => this.#lost(code, refused),
      changed: () => this.#feed.emit({ type: "connection" }),
    });
    this.#outbox = new Outbox({
      environment: this.#environment,
      transcript: this.#transcript,
      sequential: options.sequential ?? true,
      maySend: () => this.#maySend,
      life: () => this.#link.life,
      limit_bytes: () => this.#link.state.limits?.message_bytes,
      unknownTurns: () => this.#place.unknownTurns,
      write: (frame) => this.#link.write(frame),
      changed: (turn) => {
        this.#feed.turn(turn);
        this.#keeper.schedule();
      },
      returned: (turn) => {
        // First: where the store has it as sent, it could only be stopped.
        this.#keeper.save();
        this.#feed.turn(turn);
      },
      due: () => this.#flush(),
    });
    this.#keeper = new SessionKeeper({
      environment: this.#environment,
      store: options.store ?? new MemoryStore(),
      key: this.key,
      record: () => this.#record(),
      isRunning: isRunningAny,
      stored: (session) => this.#feed.emit({ type: "stored", session }),
      differs: (stored) => this.#heed(stored),
      answered: () => this.#flush(),
      failed: (error) => this.#feed.notice({ type: "not_saved", message: String(error) }),
    });
    this.#inbox = new Inbox({
      feed: this.#feed,
      transcript: this.#transcript,
      place: this.#place,
      link: this.#link,
      outbox: this.#outbox,
      keeper: this.#keeper,
      flush: () => this.#flush(),
    });
  }

  // MARK: reading

  get connection(): ConnectionState {
    return this.#link.state;
  }

  /** The conversation, oldest first. The objects change in place; `subscribe` says which. */
  get turns(): readonly Turn[] {
    return this.#transcript.turns;
  }

  /** The last event that was processed. */
  get position(): { readonly epoch: string | undefined; readonly seq: number } {
    return { epoch: this.#place.epoch, seq: this.#place.seq };
  }

  /** Number of leading turns that the gateway's session has not been told. */
  get unknownTurns(): number {
    return this.#place.unknownTurns;
  }

  subscribe(listener: (change: Change) => void): () => void {
    return this.#feed.subscribe(listener);
  }

  // MARK: starting and ending

  /** Reads the stored session and connects. */
  start(): Awaitable<void> {
    if (this.#stopObserving !== undefined || this.#disposed) return;
    this.#stopObserving = this.#environment.observePage((signal) => this.#pageSignal(signal));
    const loaded = this.#keeper.load();
    if (!(loaded instanceof Promise)) return this.#begin(loaded);
    return loaded.then((record) => this.#begin(record));
  }

  #begin(record: StoredSession | undefined): void {
    if (this.#disposed) return;
    this.#adopt(record);
    this.#feed.turns();
    this.#link.connect();
  }

  #adopt(record: StoredSession | undefined): void {
    this.#place.removals = record?.removals ?? 0;
    const own = this.#record(); // What the store has not heard of, or not yet.
    const merged = record && own ? mergeSessions(record, own) : record ?? own;
    this.#transcript.replace(merged?.turns ?? []);
    this.#transcript.discarded = merged?.discarded ?? [];
    this.#place.adopt(merged);
    this.#keeper.adopt(record);
    this.#resumeCancels();
  }

  #resumeCancels(): void {
    for (const turn of this.turns) {
      if (turn.stopping && !isSettled(turn)) this.#outbox.resumeCancel(turn);
    }
  }

  /** Leaves for good: saves, closes the socket, forgets its timers. A running response goes on at the gateway. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#keeper.save();
    this.#stopObserving?.();
    this.#keeper.close();
    this.#outbox.close();
    this.#link.close();
    this.#feed.close();
  }

  /** Tries again now instead of at the planned time; also after `closed`. */
  reconnect(): void {
    if (this.#disposed || this.#link.isReady) return;
    this.#link.drop();
    this.#link.connect();
  }

  /** Takes over what another page has stored: a fresh start of the same conversation. */
  reload(): Awaitable<void> {
    if (this.#disposed) return;
    const adopt = (record: StoredSession | undefined) => {
      if (record !== undefined && !isSameLife(record, this.#place.stored())) this.#takeOver(record);
    };
    const loaded = this.#keeper.load();
    return loaded instanceof Promise ? loaded.then(adopt) : adopt(loaded);
  }

  /** Goes on from where another page is. */
  #takeOver(record: StoredSession): void {
    if (this.#disposed) return;
    const { generation, session } = this.#place;
    if (this.#place.removals !== undefined && isRemoved(this.#place.stored(), record)) {
      return this.#removed();
    }
    if (record.generation < generation) return;
    this.#link.drop();
    this.#adopt(record);
    this.#feed.turns();
    if (record.generation > generation || record.session !== session) {
      this.#feed.notice({ type: "superseded" });
    }
    this.#link.connect();
  }

  /** Another page has removed the conversation: nobody reads on, and nothing of it is to be kept. */
  #removed(): void {
    for (const turn of this.turns) {
      if (isSettled(turn) || turn.delivery === "queued" || !this.#link.isReady) continue;
      this.#link.write({ type: "cancel", message: turn.id });
    }
    this.#keeper.close();
    this.#feed.emit({ type: "removed" });
    this.dispose();
  }

  /**
   * The store keeps more than this page has saved.
   *
   * In a session that is new to the page all of that is taken over. In one that it knows the log tells it the rest,
   * but not what has become of messages that are not in it.
   */
  #heed(stored: StoredSession): void {
    const place = this.#place.stored(), own = this.#record();
    if (own === undefined || !isSameLife(stored, place) || !this.#keeper.has(place)) {
      return this.#takeOver(stored);
    }
    // What another page wants stopped is stopped by whichever has a connection.
    for (const { id, stopping } of stored.turns) {
      const turn = this.#transcript.turn(id);
      if (!stopping || turn === undefined || turn.stopping) continue;
      if (turn.delivery !== "queued" && !isSettled(turn)) this.#outbox.stop(turn);
    }
    const isAhead = stored.seq > place.seq; // Then an answer may be one that the log brings.
    const turns = stored.turns.filter((turn) =>
      isSettled(turn)
        ? !(isAhead && turn.answer) && this.#transcript.turn(turn.id) !== undefined
        : turn.stopping
    );
    const merged = mergeSessions({ ...stored, ...place, turns }, own);
    if (merged === own) return;
    this.#transcript.replace(merged.turns);
    this.#transcript.discarded = merged.discarded ?? [];
    this.#resumeCancels();
    this.#feed.turns();
  }

  #pageSignal(signal: PageSignal): void {
    if (signal === "sleep") this.#keeper.save();
    this.#link.page(signal);
  }

  // MARK: sending

  /**
   * Adds a message to the conversation and sends it as soon as that is possible.
   *
   * `id` makes sending idempotent: the same id starts one response, however often it is sent.
   */
  send(input: MessageInput, options?: MessageOptions, id: string = this.newId()): Turn {
    const known = this.#transcript.turn(id);
    if (known !== undefined) return known;
    this.#transcript.add(this.#message(id, input, options));
    return this.#ask(id);
  }

  #message(id: string, input: MessageInput, options: MessageOptions | undefined): Turn {
    const turn: Turn = { id, input, delivery: "queued", created: this.#environment.date() };
    if (options !== undefined && Object.keys(options).length > 0) turn.options = options;
    return turn;
  }

  #ask(id: string): Turn {
    const turn = this.#transcript.turn(id)!;
    this.#feed.turns();
    this.#flush(turn);
    // At once: what was written must not depend on what happens next.
    if (turn.delivery !== "sent") this.#keeper.save();
    return turn;
  }

  newId(): string {
    return newRandomId("m_", () => this.#environment.random());
  }

  /**
   * Ends the response to one message, or every response that runs.
   *
   * A message that was not sent yet is withdrawn. Without a connection the cancel waits for the next one.
   */
  stop(message?: string): void {
    for (const turn of this.turns) {
      if ((message === undefined || turn.id === message) && !isSettled(turn)) {
        this.#outbox.stop(turn);
      }
    }
    this.#flush();
    this.#keeper.save(); // At once: no other page must send what was withdrawn.
  }

  /**
   * Sends a message again whose response failed, was cut short, or never started.
   *
   * The repeat is a message of its own, named after the first (`ID:2`), so every page knows which one it replaces.
   * It has the first one's options unless others are given.
   */
  retry(message: string, options?: MessageOptions): Turn | undefined {
    const turn = this.#transcript.turn(message);
    if (turn?.input === undefined || !isSettled(turn)) return undefined;
    const id = nextRetryId(message), known = this.#transcript.turn(id);
    if (known !== undefined) return known;
    const again = this.#message(id, turn.input, options ?? turn.options);
    const turns = withoutTurn(this.turns, message, again);
    if (turn.answer === undefined) {
      this.#transcript.discard(turn, turns);
    } else { // It stays in the log, and gives the ways that part at it to what takes its place.
      const { alternatives: _, version: __, ...rest } = turn;
      turns.splice(this.turns.indexOf(turn), 0, rest);
      this.#transcript.replace(turns);
    }
    return this.#ask(id);
  }

  /** Forgets a message that never started a response; of one that says otherwise what was said before, only that. */
  discard(message: string): void {
    const turn = this.#transcript.turn(message);
    if (turn === undefined || turn.answer !== undefined || turn.delivery === "sent") return;
    const turns = withoutTurn(this.turns, message);
    const isOtherWay = turns.length >= this.turns.length;
    this.#transcript.discard(turn, turns);
    if (isOtherWay) return this.#startFresh(turns, turns.filter(isSettled).length);
    this.#feed.turns();
    this.#keeper.save();
  }

  /**
   * Nothing is said to a session that the store has not: another page may have the same message and a session of its
   * own, and one of the two is left.
   */
  get #maySend(): boolean {
    return !this.#disposed && this.#link.isReady && !this.#inbox.isReplaying &&
      this.#keeper.isAgreed(this.#place.stored());
  }

  #flush(fresh?: Turn): void {
    if (!this.#maySend) return;
    const { hasSent, hasClaimed } = this.#outbox.flush(fresh);
    this.#link.arm();
    if (hasClaimed) this.#keeper.agree();
    else if (hasSent) this.#keeper.save(); // At once: another page that opens now must find that it was sent.
  }

  // MARK: branches

  /**
   * Goes on differently from one turn: another wording (`input`), or another answer to the same.
   *
   * The gateway's session only ever continues, so a fresh session starts, which is told the turns before.
   * What came after is kept as an alternative.
   */
  branch(
    message: string,
    input?: MessageInput,
    options?: MessageOptions,
    id: string = this.newId(),
  ): Turn | undefined {
    const fresh = { id, created: this.#environment.date() };
    const branching = branchFrom(this.turns, message, fresh, input, options);
    if (branching === undefined) return undefined;
    this.#startFresh(branching.turns, branching.place);
    return branching.turn;
  }

  /** Shows another of the ways the conversation went on from a turn. */
  switchTo(message: string, version: number): void {
    const turns = switchBranch(this.turns, message, version);
    if (turns !== undefined) this.#startFresh(turns, turns.length);
  }

  #startFresh(turns: Turn[], unknown: number): void {
    if (this.#link.isReady && this.#transcript.turns.some(isRunning)) {
      this.#link.write({ type: "cancel" });
    }
    this.#link.drop();
    this.#transcript.interrupt();
    this.#transcript.replace(turns);
    this.#outbox.forgetCancels();
    this.#place.leave(unknown);
    this.#feed.turns();
    this.#link.worked();
    this.#link.connect();
    this.#keeper.save();
  }

  // MARK: losing

  #lost(code: number, refused: boolean): void {
    for (const turn of this.turns) {
      if (turn.answer?.activity === undefined) continue;
      delete turn.answer.activity;
      this.#feed.turn(turn);
    }
    if (refused && code === 1009) this.#outbox.tooBig();
    this.#keeper.schedule();
  }

  // MARK: keeping

  #record(): StoredSession | undefined {
    const { turns, discarded } = this.#transcript;
    if (turns.length + discarded.length + this.#place.generation === 0) return undefined;
    return {
      version: 1,
      ...this.#place.stored(),
      turns,
      discarded,
      saved: this.#environment.date(),
    };
  }
}
