import { backoffDelay_ms, type BackoffPolicy, defaultBackoff } from "./backoff.ts";
import { Alarm } from "./alarm.ts";
import type { Environment, Socket } from "./environment.ts";
import {
  type ClientFrame,
  decodeFrames,
  type ErrorFrame,
  isLogEvent,
  type Limits,
  type MessageInput,
  type MessageOptions,
  type ReadyFrame,
  reconnectRule,
  type ServerFrame,
  type SnapshotFrame,
  SUBPROTOCOL,
  type UnknownFrame,
} from "./protocol.ts";
import { utf8 } from "./sha256.ts";
import { type Awaitable, MemoryStore, type SessionStore, type StoredSession } from "./store.ts";
import { historyItems, isRunning, isSettled, Transcript, type Turn } from "./transcript.ts";

// MARK: what others see

/**
 * The life of a connection.
 *
 *     idle ─▶ connecting ─▶ ready ──lost──▶ waiting ─▶ connecting
 *                  └──lost──▶ waiting │ offline │ closed
 *
 * `offline`: the machine says it has no network. `closed`: by us, or for a reason that trying again cannot mend.
 */
export type Phase = "idle" | "connecting" | "ready" | "waiting" | "offline" | "closed";

export interface Problem {
  readonly code: string;
  readonly message: string;
}

export interface ConnectionState {
  readonly phase: Phase;
  /** When the next attempt starts, on the environment's clock; only while `waiting`. */
  readonly retry_at?: number;
  /** Attempts since the last connection that worked. */
  readonly attempt: number;
  readonly problem?: Problem;
  /** The gateway is about to restart and asked to come back soon. */
  readonly draining?: boolean;
  readonly session?: string;
  readonly limits?: Limits;
  /** What messages may ask for, where the gateway tells. */
  readonly options?: ReadyFrame["options"];
}

export type Notice =
  /** The connection was lost and nothing else was. `events`: how many came late. */
  | { readonly type: "resumed"; readonly events: number }
  /** The gateway no longer has this session; what is shown stays, but it has to be told again. */
  | { readonly type: "session_lost"; readonly reason: string }
  /** Another page started this conversation anew. */
  | { readonly type: "superseded" }
  /** The store could not keep the session. */
  | { readonly type: "not_saved"; readonly message: string }
  | { readonly type: "error"; readonly error: ErrorFrame };

export type Change =
  | { readonly type: "connection" }
  /** Turns were added, removed or moved. */
  | { readonly type: "turns" }
  /** One turn changed. */
  | { readonly type: "turn"; readonly id: string }
  | { readonly type: "notice"; readonly notice: Notice };

export interface ChatStreamOptions {
  /** `ws:` or `wss:` URL of the gateway's chat endpoint. */
  readonly url: string;
  readonly environment: Environment;
  /** Name under which the store keeps this conversation. */
  readonly key?: string;
  readonly store?: SessionStore;
  /** Only where the gateway asks for a key. A function is asked again before each connection. */
  readonly auth?: string | (() => Awaitable<string | undefined>);
  readonly backoff?: BackoffPolicy;
  /** Wait with a message until the answer before it has ended (default true): it continues that answer. */
  readonly sequential?: boolean;
  /** From the start of an attempt to `ready`. */
  readonly connectTimeout_ms?: number;
  /** While an answer runs: silence after which the connection is asked for a sign of life. */
  readonly busyQuiet_ms?: number;
  /** How long that sign of life may take, while an answer runs or the page has just woken. */
  readonly busyPong_ms?: number;
}

/** Our own close code for an event that is not the next one; the gateway only sees that we left. */
const SEQUENCE_FAULT = 4000;
const MAXIMUM_REQUEUES = 6;
/** After this many faults at one position the log is read again from its beginning. */
const FAULTS_BEFORE_RESYNC = 3;
const LATE_TIMER_MS = 5_000;
const STABLE_MS = 5_000;
const SAVE_WHILE_RUNNING_MS = 1_500;
const SAVE_MS = 150;

// MARK: the client

/**
 * One conversation with the gateway: it survives lost connections, reloads and sleeping machines.
 *
 * Every event of the session's log is applied exactly once and in order; an event that is not the next one is taken as
 * a fault, never as a gap. The client has no clock, timer, socket or random source of its own: see `Environment`.
 */
export class ChatStreamClient {
  readonly #options: ChatStreamOptions;
  readonly #environment: Environment;
  readonly #store: SessionStore;
  readonly #key: string;
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #transcript: Transcript;

  #connection: ConnectionState = { phase: "idle", attempt: 0 };
  #stopObserving: (() => void) | undefined;
  #disposed = false;

  // The session.
  #generation = 0;
  #session: string | undefined;
  #epoch: string | undefined;
  #token: string | undefined;
  #seq = 0;
  #unknownTurns = 0;

  // The socket. Callbacks of a socket that is no longer the current one are ignored.
  #socket: Socket | undefined;
  #life = 0;
  #ready = false;
  #readySeq = 0;
  #replayStart = 0;
  #resumedWith: { readonly after: number } | undefined;
  #heartbeat_ms = 25_000;
  #hint_ms: number | undefined;
  #drainUntil: number | undefined;
  #attempt = 0;
  #faults = 0;

  // Signs of life.
  #heard = 0;
  #pinged: number | undefined;
  #pongDue_ms = 0;
  #pingNumber = 0;

  readonly #reconnectAlarm: Alarm;
  readonly #connectAlarm: Alarm;
  readonly #heartbeatAlarm: Alarm;
  readonly #stableAlarm: Alarm;
  readonly #saveAlarm: Alarm;
  readonly #requeueAlarm: Alarm;
  readonly #requeues = new Map<string, number>();
  readonly #cancels = new Set<string>();

  // Changes collected while a replay is applied, so that it is one change for whoever watches.
  #batch: { turns: boolean; ids: Set<string> } | undefined;

  constructor(options: ChatStreamOptions) {
    this.#options = options;
    this.#environment = options.environment;
    this.#store = options.store ?? new MemoryStore();
    this.#key = options.key ?? "default";
    this.#transcript = new Transcript([], () => this.#environment.date());
    this.#reconnectAlarm = new Alarm(options.environment);
    this.#connectAlarm = new Alarm(options.environment);
    this.#heartbeatAlarm = new Alarm(options.environment);
    this.#stableAlarm = new Alarm(options.environment);
    this.#saveAlarm = new Alarm(options.environment);
    this.#requeueAlarm = new Alarm(options.environment);
  }

  // MARK: reading

  get connection(): ConnectionState {
    return this.#connection;
  }

  /** The conversation, oldest first. The objects change in place; `subscribe` says which. */
  get turns(): readonly Turn[] {
    return this.#transcript.turns;
  }

  get key(): string {
    return this.#key;
  }

  /** The last event that was processed. */
  get position(): { readonly epoch: string | undefined; readonly seq: number } {
    return { epoch: this.#epoch, seq: this.#seq };
  }

  /** Number of leading turns that the gateway's session has not been told. */
  get unknownTurns(): number {
    return this.#unknownTurns;
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #emit(change: Change): void {
    if (this.#batch !== undefined) {
      if (change.type === "turns") this.#batch.turns = true;
      if (change.type === "turn") this.#batch.ids.add(change.id);
      if (change.type === "turns" || change.type === "turn") return;
    }
    for (const listener of [...this.#listeners]) listener(change);
  }

  #setConnection(next: ConnectionState): void {
    this.#connection = next;
    this.#emit({ type: "connection" });
  }

  // MARK: starting and ending

  /** Reads the stored session and connects. */
  start(): Awaitable<void> {
    if (this.#stopObserving !== undefined || this.#disposed) return;
    this.#stopObserving = this.#environment.observePage((signal) => this.#pageSignal(signal));
    const loaded = this.#store.load(this.#key);
    if (!(loaded instanceof Promise)) return this.#begin(loaded);
    return loaded.then((record) => this.#begin(record), (error) => {
      this.#emit({ type: "notice", notice: { type: "not_saved", message: String(error) } });
      this.#begin(undefined);
    });
  }

  #begin(record: StoredSession | undefined): void {
    if (this.#disposed) return;
    this.#adopt(record);
    this.#emit({ type: "turns" });
    this.#connect();
  }

  #adopt(record: StoredSession | undefined): void {
    const written = this.#transcript.turns; // What was sent before the store had answered.
    this.#transcript.replace([
      ...(record?.turns ?? []),
      ...written.filter((turn) => !record?.turns.some((each) => each.id === turn.id)),
    ]);
    this.#generation = record?.generation ?? 0;
    this.#session = record?.session;
    this.#epoch = record?.epoch;
    this.#token = record?.token;
    this.#seq = record?.token === undefined ? 0 : record.seq;
    this.#unknownTurns = record === undefined
      ? 0
      : record.token === undefined
      ? record.turns.filter(isSettled).length
      : record.unknown_turns;
    for (const turn of this.#transcript.turns) {
      if (turn.stopping && !isSettled(turn)) this.#cancels.add(turn.id);
    }
  }

  /** Leaves for good: saves, closes the socket, forgets its timers. A running response goes on at the gateway. */
  dispose(): void {
    if (this.#disposed) return;
    this.#save();
    this.#disposed = true;
    this.#stopObserving?.();
    this.#dropSocket(1000);
    this.#reconnectAlarm.clear();
    this.#saveAlarm.clear();
    this.#requeueAlarm.clear();
    this.#setConnection({ phase: "closed", attempt: 0 });
    this.#listeners.clear();
  }

  /** Tries again now instead of at the planned time; also after `closed`. */
  reconnect(): void {
    if (this.#disposed || this.#ready) return;
    this.#dropSocket(1000);
    this.#connect();
  }

  /** Takes over what another page has stored: a fresh start of the same conversation. */
  reload(): Awaitable<void> {
    if (this.#disposed) return;
    const adopt = (record: StoredSession | undefined) => {
      if (this.#disposed || record === undefined || record.generation < this.#generation) return;
      if (record.generation === this.#generation && record.session === this.#session) return;
      this.#dropSocket(1000);
      this.#transcript.replace(this.turns.filter((turn) => turn.delivery === "queued"));
      this.#adopt(record);
      this.#emit({ type: "turns" });
      this.#emit({ type: "notice", notice: { type: "superseded" } });
      this.#connect();
    };
    const loaded = this.#store.load(this.#key);
    return loaded instanceof Promise ? loaded.then(adopt) : adopt(loaded);
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
    const turn: Turn = { id, input, delivery: "queued", created: this.#environment.date() };
    if (options !== undefined && Object.keys(options).length > 0) turn.options = options;
    this.#transcript.add(turn);
    this.#emit({ type: "turns" });
    this.#flush();
    this.#save(); // At once: what was written must not depend on what happens next.
    return turn;
  }

  newId(): string {
    let id = "m_";
    for (let i = 0; i < 16; i++) {
      id += "0123456789abcdefghijklmnopqrstuvwxyz"[Math.floor(this.#environment.random() * 36)];
    }
    return id;
  }

  /**
   * Ends the response to one message, or every response that runs.
   *
   * A message that was not sent yet is withdrawn. Without a connection the cancel waits for the next one.
   */
  stop(message?: string): void {
    for (const turn of this.turns) {
      if ((message !== undefined && turn.id !== message) || isSettled(turn)) continue;
      if (turn.delivery === "queued") {
        turn.delivery = "withdrawn";
      } else {
        turn.stopping = true;
        this.#cancels.add(turn.id);
      }
      this.#emit({ type: "turn", id: turn.id });
    }
    this.#scheduleSave();
    this.#flush();
  }

  /**
   * Sends a message again whose response failed, was cut short, or never started.
   *
   * The repeat is a message of its own, named after the first (`ID:2`), so every page knows which one it replaces.
   */
  retry(message: string): Turn | undefined {
    const turn = this.#transcript.turn(message);
    if (turn?.input === undefined || !isSettled(turn)) return undefined;
    if (turn.answer === undefined) this.#remove(turn);
    const [base, count] = splitRetryId(message);
    return this.send(turn.input, turn.options, `${base}:${count + 1}`);
  }

  /** Forgets a message that never started a response. */
  discard(message: string): void {
    const turn = this.#transcript.turn(message);
    if (turn === undefined || turn.answer !== undefined || turn.delivery === "sent") return;
    this.#remove(turn);
    this.#scheduleSave();
  }

  #remove(turn: Turn): void {
    this.#transcript.replace(this.#transcript.turns.filter((each) => each !== turn));
    this.#emit({ type: "turns" });
  }

  // MARK: branches

  /**
   * Goes on differently from one turn: another wording (`input`), or another answer to the same.
   *
   * The gateway's session only ever continues, so a fresh session starts, which is told the turns before.
   * What came after is kept as an alternative.
   */
  branch(message: string, input?: MessageInput, options?: MessageOptions): Turn | undefined {
    const place = this.turns.findIndex((turn) => turn.id === message);
    const old = this.turns[place];
    const said = input ?? old?.input;
    if (old === undefined || said === undefined) return undefined;
    const tail = this.turns.slice(place).filter((turn) => turn.delivery !== "queued");
    const { alternatives = [], version = alternatives.length, ...rest } = old;
    const turn: Turn = {
      id: this.newId(),
      input: said,
      delivery: "queued",
      created: this.#environment.date(),
      version: alternatives.length + 1,
      alternatives: [
        ...alternatives.slice(0, version),
        [rest, ...tail.slice(1)],
        ...alternatives.slice(version),
      ],
    };
    const chosen = options ?? old.options;
    if (chosen !== undefined) turn.options = chosen;
    this.#startFresh([...this.turns.slice(0, place), turn], place);
    return turn;
  }

  /** Shows another of the ways the conversation went on from a turn. */
  switchTo(message: string, version: number): void {
    const place = this.turns.findIndex((turn) => turn.id === message);
    const shown = this.turns[place];
    const alternatives = shown?.alternatives;
    if (shown === undefined || alternatives === undefined) return;
    const current = shown.version ?? alternatives.length;
    const chosen = alternatives[version > current ? version - 1 : version];
    if (version === current || chosen?.[0] === undefined) return;
    const { alternatives: _, version: __, ...rest } = shown;
    const others = alternatives.filter((tail) => tail !== chosen);
    others.splice(version > current ? current : current - 1, 0, [
      rest,
      ...this.turns.slice(place + 1),
    ]);
    const head: Turn = { ...chosen[0], alternatives: others, version };
    const turns = [...this.turns.slice(0, place), head, ...chosen.slice(1)];
    this.#startFresh(turns, turns.length);
  }

  #startFresh(turns: Turn[], unknown: number): void {
    if (this.#ready && this.#transcript.running().length > 0) this.#write({ type: "cancel" });
    this.#dropSocket(1000);
    this.#transcript.interrupt();
    this.#transcript.replace(turns);
    this.#cancels.clear();
    this.#generation += 1;
    this.#forgetSession(unknown);
    this.#emit({ type: "turns" });
    this.#save();
    this.#attempt = 0;
    this.#connect();
  }

  #forgetSession(unknownTurns: number): void {
    this.#session = undefined;
    this.#epoch = undefined;
    this.#token = undefined;
    this.#seq = 0;
    this.#unknownTurns = unknownTurns;
  }

  // MARK: connecting

  #connect(): void {
    this.#reconnectAlarm.clear();
    const life = ++this.#life;
    this.#ready = false;
    this.#setConnection({ ...this.#connectionBase(), phase: "connecting" });
    this.#connectAlarm.set(
      this.#options.connectTimeout_ms ?? 10_000,
      () => this.#lost(1006, "no answer in time"),
    );
    const auth = this.#options.auth;
    const key = typeof auth === "function" ? auth() : auth;
    if (key instanceof Promise) {
      key.then(
        (value) => life === this.#life && this.#open(life, value),
        (error) => life === this.#life && this.#lost(1006, String(error)),
      );
    } else {
      this.#open(life, key);
    }
  }

  #connectionBase(): Omit<ConnectionState, "phase"> {
    const { limits, options } = this.#connection;
    return {
      attempt: this.#attempt,
      ...(this.#session === undefined ? {} : { session: this.#session }),
      ...(limits === undefined ? {} : { limits }),
      ...(options === undefined ? {} : { options }),
    };
  }

  #open(life: number, auth: string | undefined): void {
    const current = () => life === this.#life && !this.#disposed;
    const resume = this.#token === undefined ? undefined : { token: this.#token, after: this.#seq };
    this.#resumedWith = resume;
    try {
      this.#socket = this.#environment.openSocket(this.#options.url, SUBPROTOCOL, {
        opened: () => {
          if (!current()) return;
          this.#heard = this.#environment.now();
          this.#write({
            type: "hello",
            ...(auth === undefined ? {} : { auth }),
            ...(resume === undefined ? {} : { resume }),
          });
        },
        received: (text) => {
          if (current()) this.#received(text);
        },
        closed: (code, reason) => {
          if (current()) this.#lost(code, reason);
        },
      });
    } catch (error) {
      this.#lost(1006, String(error));
    }
  }

  /** Lets go of the socket; whatever it still says is ignored. */
  #dropSocket(code: number): void {
    this.#life++;
    const socket = this.#socket;
    this.#socket = undefined;
    this.#ready = false;
    this.#pinged = undefined;
    this.#endBatch();
    this.#connectAlarm.clear();
    this.#heartbeatAlarm.clear();
    this.#stableAlarm.clear();
    try {
      socket?.close(code);
    } catch {
      // Already closed, or never opened.
    }
  }

  #lost(code: number, reason: string): void {
    const wasReady = this.#ready;
    const draining = this.#connection.draining === true;
    // A socket that is only silent needs a push; one that is closed does not mind.
    this.#dropSocket(code === SEQUENCE_FAULT ? SEQUENCE_FAULT : 1000);
    const hint = this.#drainUntil === undefined
      ? this.#hint_ms
      : Math.max(0, this.#drainUntil - this.#environment.now());
    this.#hint_ms = undefined;
    this.#drainUntil = undefined;
    for (const turn of this.turns) {
      if (turn.answer?.activity !== undefined) {
        delete turn.answer.activity;
        this.#emit({ type: "turn", id: turn.id });
      }
    }
    const rule = code === SEQUENCE_FAULT ? "resume" : reconnectRule(code);
    const last = this.#connection.problem;
    const problem: Problem | undefined = wasReady && code !== SEQUENCE_FAULT && rule === "resume"
      ? undefined
      : last ?? { code: `close_${code}`, message: reason };
    if (rule === "never") {
      this.#afterRefusal(code);
      this.#setConnection({
        ...this.#connectionBase(),
        phase: "closed",
        problem: last ?? { code: `close_${code}`, message: reason },
      });
      this.#scheduleSave();
      return;
    }
    const pause = rule === "after_pause" && hint === undefined
      ? Math.max(1, this.#attempt)
      : this.#attempt;
    const delay = backoffDelay_ms(
      this.#options.backoff ?? defaultBackoff,
      pause,
      this.#environment.random(),
      hint,
    );
    this.#attempt += 1;
    this.#planReconnect(delay, problem, draining && code === 1012);
    this.#scheduleSave();
  }

  #planReconnect(delay_ms: number, problem: Problem | undefined, draining: boolean): void {
    this.#reconnectAlarm.clear();
    const offline = !this.#environment.online();
    // Browsers are sometimes wrong about being offline, so the attempt is only put off.
    const delay = offline ? Math.max(delay_ms, 15_000) : delay_ms;
    this.#reconnectAlarm.set(delay, () => this.#connect());
    this.#setConnection({
      ...this.#connectionBase(),
      phase: offline ? "offline" : "waiting",
      retry_at: this.#environment.now() + delay,
      ...(problem === undefined ? {} : { problem }),
      ...(draining ? { draining } : {}),
    });
  }

  /** A message that is itself the reason for a refusal must not be sent again by the next connection. */
  #afterRefusal(code: number): void {
    if (code !== 1009) return;
    const turn = this.turns.find((each) => each.delivery === "sent");
    if (turn !== undefined) {
      this.#refuse(turn, "message_too_big", "The message is larger than the gateway accepts.");
    }
  }

  #refuse(turn: Turn, code: string, message: string, retryable = false): void {
    turn.delivery = "refused";
    turn.problem = { code, message, retryable };
    delete turn.stopping;
    this.#cancels.delete(turn.id);
    this.#emit({ type: "turn", id: turn.id });
    this.#scheduleSave();
  }

  // MARK: the page

  #pageSignal(signal: "online" | "offline" | "wake" | "sleep"): void {
    const phase = this.#connection.phase;
    switch (signal) {
      case "sleep":
        this.#save();
        break;
      case "offline":
        if (this.#ready) this.#probe();
        else if (phase === "waiting") this.#planReconnect(15_000, undefined, false);
        break;
      case "online":
      case "wake":
        if (this.#ready) this.#probe();
        else if (phase === "offline" || (phase === "waiting" && this.#mayHurry())) {
          this.#connect();
        }
        break;
    }
  }

  /** A delay that the server asked for is kept even when the page wakes. */
  #mayHurry(): boolean {
    return this.#connection.problem === undefined || this.#connection.problem.code === "close_1006";
  }

  // MARK: signs of life

  #busy(): boolean {
    return this.turns.some((turn) => !isSettled(turn) && turn.delivery !== "queued");
  }

  #quiet_ms(): number {
    return this.#busy()
      ? Math.min(this.#heartbeat_ms, this.#options.busyQuiet_ms ?? 5_000)
      : this.#heartbeat_ms;
  }

  #armHeartbeat(): void {
    if (!this.#ready) return;
    const now = this.#environment.now();
    const due = this.#pinged === undefined
      ? this.#heard + this.#quiet_ms()
      : this.#pinged + this.#pongDue_ms;
    // A timer that is due earlier looks for itself whether it still has to act.
    if (this.#heartbeatAlarm.isSet && this.#heartbeatAlarm.due <= due) return;
    this.#heartbeatAlarm.set(due - now, () => {
      const late = this.#environment.now() - this.#heartbeatAlarm.due > LATE_TIMER_MS;
      this.#heartbeat(late);
    });
  }

  #heartbeat(late: boolean): void {
    const now = this.#environment.now();
    if (this.#pinged !== undefined) {
      // After a sleep the answer may already be waiting to be read: ask once more instead of judging.
      if (late) return this.#probe();
      if (now >= this.#pinged + this.#pongDue_ms) return this.#lost(1006, "no sign of life");
    } else if (now >= this.#heard + this.#quiet_ms()) {
      this.#ping(
        this.#busy()
          ? Math.min(this.#heartbeat_ms, this.#options.busyPong_ms ?? 5_000)
          : this.#heartbeat_ms,
      );
      return;
    }
    this.#armHeartbeat();
  }

  #ping(due_ms: number): void {
    this.#pinged = this.#environment.now();
    this.#pongDue_ms = due_ms;
    this.#pingNumber += 1;
    this.#write({ type: "ping", id: String(this.#pingNumber) });
    this.#heartbeatAlarm.clear();
    this.#armHeartbeat();
  }

  /** Asks for a quick sign of life, because there is reason to doubt. */
  #probe(): void {
    this.#ping(Math.min(3_000, this.#options.busyPong_ms ?? 3_000));
  }

  // MARK: receiving

  #received(text: string): void {
    const life = this.#life;
    this.#heard = this.#environment.now();
    this.#pinged = undefined;
    let frames: ServerFrame[];
    try {
      frames = decodeFrames(text);
    } catch (error) {
      return this.#fault(String(error));
    }
    for (const frame of frames) {
      this.#frame(frame);
      if (life !== this.#life) return;
    }
    this.#armHeartbeat();
  }

  #frame(frame: ServerFrame): void {
    if (frame.type === "ready") return this.#onReady(frame);
    if (frame.type === "error") return this.#onError(frame);
    if (!this.#ready) return this.#fault(`${frame.type} before ready`);
    switch (frame.type) {
      case "snapshot":
        return this.#onSnapshot(frame);
      case "state": {
        const turn = this.#transcript.state(frame);
        if (turn === undefined) return;
        if (frame.state === "attached") this.#attached(turn);
        return this.#emit({ type: "turn", id: turn.id });
      }
      case "token":
        this.#token = frame.resume_token;
        return this.#scheduleSave();
      case "going_away":
        return this.#onGoingAway(frame.reconnect_after_ms ?? 1_000);
      case "pong":
        return;
      case "unknown":
        return this.#onUnknown(frame);
      default:
        return this.#onEvent(frame);
    }
  }

  #onReady(frame: ReadyFrame): void {
    if (this.#ready) return this.#fault("a second ready");
    this.#connectAlarm.clear();
    this.#heartbeat_ms = Math.max(1, frame.heartbeat_s ?? 25) * 1_000;
    const asked = this.#resumedWith;
    const sameLife = frame.recovered && (this.#epoch === undefined || this.#epoch === frame.epoch);
    if (asked !== undefined && (!sameLife || frame.seq < asked.after)) {
      this.#loseSession(
        frame.recovered ? "position_unknown" : frame.reason ?? "unknown",
      );
      if (frame.recovered) return this.#lost(SEQUENCE_FAULT, "the position is unknown");
    }
    this.#session = frame.session;
    this.#epoch = frame.epoch;
    this.#token = frame.resume_token;
    this.#ready = true;
    this.#readySeq = frame.recovered ? frame.seq : 0;
    this.#replayStart = this.#seq;
    this.#stableAlarm.set(STABLE_MS, () => {
      this.#attempt = 0;
    });
    this.#connection = { phase: "ready", attempt: 0 };
    this.#setConnection({
      ...this.#connectionBase(),
      phase: "ready",
      attempt: 0,
      ...(frame.limits === undefined ? {} : { limits: frame.limits }),
      ...(frame.options === undefined ? {} : { options: frame.options }),
    });
    if (asked !== undefined && this.#seq < this.#readySeq) {
      this.#batch = { turns: false, ids: new Set() };
    }
    this.#caughtUp();
    this.#scheduleSave();
    this.#armHeartbeat();
  }

  #loseSession(reason: string): void {
    const changed = this.#transcript.interrupt();
    const settled = this.turns.filter(isSettled).length;
    this.#forgetSession(settled);
    this.#cancels.clear();
    this.#generation += 1;
    for (const turn of changed) this.#emit({ type: "turn", id: turn.id });
    if (settled > 0) {
      this.#emit({ type: "notice", notice: { type: "session_lost", reason } });
    }
  }

  /** Once the replay has reached the end of the log, what waits may be sent. */
  #caughtUp(): void {
    if (!this.#ready || this.#seq < this.#readySeq) return;
    if (this.#batch !== undefined) {
      const events = this.#seq - this.#replayStart;
      this.#endBatch();
      this.#emit({ type: "notice", notice: { type: "resumed", events } });
    } else if (this.#resumedWith !== undefined && this.#readySeq > 0) {
      this.#emit({ type: "notice", notice: { type: "resumed", events: 0 } });
    }
    this.#readySeq = 0;
    this.#resumedWith = undefined;
    this.#flush();
  }

  #endBatch(): void {
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch === undefined) return;
    if (batch.turns) this.#emit({ type: "turns" });
    for (const id of batch.ids) this.#emit({ type: "turn", id });
  }

  /** Moves the position over one event, or says that it is not the next one. */
  #advance(
    frame: { readonly seq: number; readonly from?: number; readonly type: string },
  ): boolean {
    const first = frame.from ?? frame.seq;
    if (first !== this.#seq + 1) {
      this.#fault(`event ${first} came after ${this.#seq}`);
      return false;
    }
    this.#seq = frame.seq;
    this.#faults = 0;
    return true;
  }

  #onEvent(
    frame: Extract<ServerFrame, { type: "message" | "complete" | "delta" }> | ServerFrame,
  ): void {
    if (!isLogEvent(frame) || !this.#advance(frame)) return;
    const { turn, listChanged } = this.#transcript.apply(frame);
    if (listChanged) this.#emit({ type: "turns" });
    if (turn !== undefined) this.#emit({ type: "turn", id: turn.id });
    if (frame.type === "message") this.#unknownTurns = 0;
    if (frame.type === "complete") {
      if (turn !== undefined) this.#cancels.delete(turn.id);
      this.#attempt = 0;
    }
    if (this.#readySeq > 0) this.#caughtUp();
    else if (frame.type === "complete" || frame.type === "message") this.#flush();
    if (frame.type !== "complete") return this.#scheduleSave();
    this.#save();
    this.#leaveDraining();
  }

  #onUnknown(frame: UnknownFrame): void {
    if (frame.seq === undefined) return;
    const position = frame.from === undefined
      ? { type: frame.type, seq: frame.seq }
      : { type: frame.type, seq: frame.seq, from: frame.from };
    if (this.#advance(position)) this.#caughtUp();
  }

  #onSnapshot(frame: SnapshotFrame): void {
    if (frame.through < this.#seq) return this.#fault("a snapshot of the past");
    this.#seq = frame.through;
    this.#faults = 0;
    this.#transcript.snapshot(frame);
    this.#unknownTurns = 0;
    this.#emit({ type: "turns" });
    for (const turn of this.turns) this.#emit({ type: "turn", id: turn.id });
    this.#caughtUp();
    this.#scheduleSave();
  }

  #attached(turn: Turn): void {
    if (turn.delivery === "sent") turn.delivery = "accepted";
  }

  #onError(frame: ErrorFrame): void {
    const turn = frame.message_id === undefined
      ? undefined
      : this.#transcript.turn(frame.message_id);
    if (turn !== undefined && turn.answer === undefined && turn.delivery !== "accepted") {
      const tries = this.#requeues.get(turn.id) ?? 0;
      if (frame.retryable === true && tries < MAXIMUM_REQUEUES && !turn.stopping) {
        this.#requeues.set(turn.id, tries + 1);
        turn.delivery = "queued";
        turn.problem = { code: frame.code, message: frame.message, retryable: true };
        this.#emit({ type: "turn", id: turn.id });
        this.#requeueIn(frame.retry_after_ms ?? 500 * 2 ** tries);
        return;
      }
      return this.#refuse(turn, frame.code, frame.message, frame.retryable ?? false);
    }
    if (frame.retry_after_ms !== undefined) this.#hint_ms = frame.retry_after_ms;
    this.#connection = {
      ...this.#connection,
      problem: { code: frame.code, message: frame.message },
    };
    this.#emit({ type: "connection" });
    this.#emit({ type: "notice", notice: { type: "error", error: frame } });
  }

  #requeueIn(delay_ms: number): void {
    if (this.#requeueAlarm.isSet) return;
    this.#requeueAlarm.set(delay_ms, () => {
      this.#flush();
    });
  }

  /**
   * The gateway drains: leave at the moment it names, which is spread over its clients.
   *
   * A response that still runs is read to its end first: it lives where this connection leads, and nowhere else.
   */
  #onGoingAway(delay_ms: number): void {
    this.#drainUntil = this.#environment.now() + delay_ms;
    this.#setConnection({ ...this.#connection, draining: true });
    this.#reconnectAlarm.set(delay_ms, () => this.#leaveDraining());
  }

  #leaveDraining(): void {
    if (this.#drainUntil === undefined || this.#environment.now() < this.#drainUntil) return;
    if (!this.#ready || this.#transcript.running().length > 0) return;
    this.#drainUntil = undefined;
    this.#dropSocket(1000);
    this.#connect();
  }

  /** Leaves this connection and resumes: the only answer to an event that is not the next one. */
  #fault(reason: string): void {
    this.#faults += 1;
    if (this.#faults >= FAULTS_BEFORE_RESYNC) {
      this.#faults = 0;
      this.#seq = 0;
      const known = this.#unknownTurns;
      this.turns.forEach((turn, place) => {
        if (place >= known && turn.delivery === "accepted") delete turn.answer;
      });
      this.#transcript.replace([...this.#transcript.turns]);
    }
    this.#lost(SEQUENCE_FAULT, reason);
  }

  // MARK: writing

  /** Sends everything that may be sent now: cancels first, then messages in order. */
  #flush(): void {
    if (!this.#ready || this.#seq < this.#readySeq) return;
    for (const id of [...this.#cancels]) {
      const turn = this.#transcript.turn(id);
      if (turn === undefined || isSettled(turn)) {
        this.#cancels.delete(id);
      } else if (this.#cancelledOn.get(id) !== this.#life) {
        // Once is enough for this connection; the next one asks again while the response still runs.
        this.#cancelledOn.set(id, this.#life);
        this.#write({ type: "cancel", message: id });
      }
    }
    const sequential = this.#options.sequential ?? true;
    for (const turn of [...this.turns]) {
      if (turn.delivery !== "queued" && turn.delivery !== "sent") continue;
      if (this.#requeueAlarm.isSet) break;
      if (sequential && this.#someoneElseIsBusy(turn)) break;
      if (turn.delivery === "sent" && this.#sentOn.get(turn.id) === this.#life) continue;
      this.#sendTurn(turn);
      if (!this.#ready) return;
    }
    this.#armHeartbeat();
  }

  /** On which connection each unanswered message was sent last. */
  readonly #sentOn = new Map<string, number>();
  readonly #cancelledOn = new Map<string, number>();

  #someoneElseIsBusy(turn: Turn): boolean {
    return this.turns.some((each) =>
      each !== turn && (isRunning(each) || each.delivery === "sent" ||
        (each.delivery === "accepted" && each.answer === undefined))
    );
  }

  #sendTurn(turn: Turn): void {
    const input = this.#wireInput(turn);
    if (input === undefined) {
      return this.#refuse(turn, "input_lost", "The text of this message is not here any more.");
    }
    const frame: ClientFrame = {
      type: "message",
      id: turn.id,
      input,
      ...(turn.options === undefined ? {} : { options: turn.options }),
    };
    const text = JSON.stringify(frame);
    const limit = this.#connection.limits?.message_bytes;
    if (limit !== undefined && text.length * 3 > limit && utf8(text).length > limit) {
      return this.#refuse(turn, "message_too_big", `The message exceeds ${limit} bytes.`);
    }
    turn.delivery = "sent";
    delete turn.problem;
    this.#sentOn.set(turn.id, this.#life);
    this.#write(text);
    this.#emit({ type: "turn", id: turn.id });
    this.#scheduleSave();
  }

  /** A fresh session is told the turns before; sent again, the message must read the same. */
  #wireInput(turn: Turn): MessageInput | undefined {
    if (turn.input === undefined || this.#unknownTurns === 0) return turn.input;
    const place = this.turns.indexOf(turn);
    const history = historyItems(this.turns.slice(0, Math.min(place, this.#unknownTurns)));
    if (history.length === 0) return turn.input;
    return [
      ...history,
      ...(typeof turn.input === "string" ? [{ role: "user", content: turn.input }] : turn.input),
    ];
  }

  #write(frame: ClientFrame | string): void {
    try {
      this.#socket?.send(typeof frame === "string" ? frame : JSON.stringify(frame));
    } catch {
      // The socket is closing; its `closed` follows and everything unconfirmed is sent again.
    }
  }

  // MARK: keeping

  #scheduleSave(): void {
    if (this.#disposed || this.#saveAlarm.isSet) return;
    const delay = this.#transcript.turns.some(isRunning) ? SAVE_WHILE_RUNNING_MS : SAVE_MS;
    this.#saveAlarm.set(delay, () => {
      this.#save();
    });
  }

  #save(): void {
    if (this.#disposed) return;
    this.#saveAlarm.clear();
    if (this.turns.length === 0 && this.#generation === 0) return;
    const record: StoredSession = {
      version: 1,
      generation: this.#generation,
      seq: this.#seq,
      turns: this.#transcript.turns,
      unknown_turns: this.#unknownTurns,
      saved: this.#environment.date(),
      ...(this.#session === undefined ? {} : { session: this.#session }),
      ...(this.#epoch === undefined ? {} : { epoch: this.#epoch }),
      ...(this.#token === undefined ? {} : { token: this.#token }),
    };
    const failed = (error: unknown) => {
      this.#emit({ type: "notice", notice: { type: "not_saved", message: String(error) } });
    };
    const kept = (answer: boolean) => {
      if (!answer) this.reload();
    };
    try {
      const saved = this.#store.save(this.#key, record);
      if (saved instanceof Promise) saved.then(kept, failed);
      else kept(saved);
    } catch (error) {
      failed(error);
    }
  }
}

/** `m_x:3` is the third attempt of `m_x`. */
export function splitRetryId(id: string): [base: string, count: number] {
  const match = /^(.*):(\d+)$/.exec(id);
  return match === null ? [id, 1] : [match[1]!, Number(match[2])];
}
