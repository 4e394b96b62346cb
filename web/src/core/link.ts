import { Alarm } from "./alarm.ts";
import { backoffDelay_ms, type BackoffPolicy, defaultBackoff } from "./backoff.ts";
import type { ConnectionState, Problem } from "./connection-state.ts";
import type { Environment, PageSignal, Socket } from "./environment.ts";
import { Heartbeat } from "./heartbeat.ts";
import {
  type ClientFrame,
  type ErrorFrame,
  type ReadyFrame,
  reconnectRule,
  SUBPROTOCOL,
} from "./protocol.ts";
import type { Awaitable } from "./store.ts";

export interface LinkOptions {
  /** `ws:` or `wss:` URL of the gateway's chat endpoint. */
  readonly url: string;
  readonly environment: Environment;
  /** Only where the gateway asks for a key. A function is asked again before each connection. */
  readonly auth?: string | (() => Awaitable<string | undefined>);
  readonly backoff?: BackoffPolicy;
  /** From the start of an attempt to `ready`. */
  readonly connectTimeout_ms?: number;
  /** While an answer runs: silence after which the connection is asked for a sign of life. */
  readonly busyQuiet_ms?: number;
  /** How long that sign of life may take, while an answer runs or the page has just woken. */
  readonly busyPong_ms?: number;
}

/** A place in a session, and the proof that it may be read. */
export interface Resume {
  readonly token: string;
  readonly after: number;
}

/** What the link asks of, and tells, the conversation that it serves. */
export interface LinkHost {
  session(): string | undefined;
  /** Where a new connection goes on. */
  resume(): Resume | undefined;
  /** A response runs, or a message waits for its own. */
  isBusy(): boolean;
  isRunning(): boolean;
  received(text: string): void;
  /** The socket was let go, for whatever reason. */
  dropped(): void;
  /** The connection was lost. `refused`: for a reason that trying again cannot mend. */
  lost(code: number, refused: boolean): void;
  changed(): void;
}

/** Our own close code for an event that is not the next one; the gateway only sees that we left. */
export const SEQUENCE_FAULT = 4000;
/** A connection that lasted this long has worked. */
const STABLE_MS = 5_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** Browsers are sometimes wrong about being offline, so an attempt is only put off. */
const OFFLINE_ATTEMPT_MS = 15_000;
const REFUSED = "The gateway is there, but it refuses the connection.";

/**
 * The connection that is always wanted: opens sockets, finds out that one is dead, waits, and tries again.
 *
 * It knows nothing of events; where to go on, it asks its host.
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #environment: Environment;
  readonly #host: LinkHost;
  readonly #heartbeat: Heartbeat;
  readonly #reconnectAlarm: Alarm;
  readonly #connectAlarm: Alarm;
  readonly #stableAlarm: Alarm;

  #state: ConnectionState = { phase: "idle", attempt: 0 };
  #socket: Socket | undefined;
  #life = 0;
  #isReady = false;
  #resumedWith: Resume | undefined;
  #attempt = 0;
  #hint_ms: number | undefined;
  #drainUntil: number | undefined;
  #closed = false;
  /** The socket of this life has opened. */
  #opened = false;
  /** Why sockets do not open, as far as a plain request tells. */
  #refusal: Problem | undefined;

  constructor(options: LinkOptions, host: LinkHost) {
    this.#options = options;
    this.#environment = options.environment;
    this.#host = host;
    this.#heartbeat = new Heartbeat({
      environment: options.environment,
      busyQuiet_ms: options.busyQuiet_ms,
      busyPong_ms: options.busyPong_ms,
      isBusy: () => host.isBusy(),
      ping: (id) => this.write({ type: "ping", id }),
      died: () => this.fail(1006, "no sign of life"),
    });
    this.#reconnectAlarm = new Alarm(options.environment);
    this.#connectAlarm = new Alarm(options.environment);
    this.#stableAlarm = new Alarm(options.environment);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Counts sockets: what was written to an earlier one has to be written again. */
  get life(): number {
    return this.#life;
  }

  /** What this connection asked to go on from. */
  get resumedWith(): Resume | undefined {
    return this.#resumedWith;
  }

  // MARK: opening

  connect(): void {
    this.#reconnectAlarm.clear();
    const life = ++this.#life;
    this.#isReady = false;
    this.#opened = false;
    this.#setState({
      ...this.#base(),
      phase: "connecting",
      ...(this.#refusal === undefined ? {} : { problem: this.#refusal }),
    });
    this.#connectAlarm.set(
      this.#options.connectTimeout_ms ?? CONNECT_TIMEOUT_MS,
      () => this.fail(1006, "no answer in time"),
    );
    const auth = this.#options.auth;
    const key = typeof auth === "function" ? auth() : auth;
    if (key instanceof Promise) {
      key.then(
        (value) => life === this.#life && this.#open(life, value),
        (error) => life === this.#life && this.fail(1006, String(error)),
      );
    } else {
      this.#open(life, key);
    }
  }

  /** Callbacks of a socket that is no longer the current one are ignored. */
  #open(life: number, auth: string | undefined): void {
    const current = () => life === this.#life && !this.#closed;
    const resume = this.#host.resume();
    this.#resumedWith = resume;
    try {
      this.#socket = this.#environment.openSocket(this.#options.url, SUBPROTOCOL, {
        opened: () => {
          if (!current()) return;
          this.#opened = true;
          this.#refusal = undefined;
          this.#heartbeat.heard();
          this.write({
            type: "hello",
            ...(auth === undefined ? {} : { auth }),
            ...(resume === undefined ? {} : { resume }),
          });
        },
        received: (text) => {
          if (!current()) return;
          this.#heartbeat.heard();
          this.#host.received(text);
          if (current()) this.#heartbeat.arm();
        },
        closed: (code, reason) => {
          if (current()) this.fail(code, reason);
        },
      });
    } catch (error) {
      this.fail(1006, String(error));
    }
  }

  /** The gateway has answered. */
  ready(frame: ReadyFrame): void {
    this.#connectAlarm.clear();
    this.#isReady = true;
    this.#heartbeat.start(Math.max(1, frame.heartbeat_s ?? 25) * 1_000);
    this.#stableAlarm.set(STABLE_MS, () => this.worked());
    const { session, limits, options } = frame;
    this.#setState({
      phase: "ready",
      attempt: 0,
      session,
      ...(limits === undefined ? {} : { limits }),
      ...(options === undefined ? {} : { options }),
    });
  }

  /** All that the first answers of the gateway were about is done. */
  caughtUp(): void {
    this.#resumedWith = undefined;
  }

  /** This connection was worth having: the next loss is the first again. */
  worked(): void {
    this.#attempt = 0;
  }

  arm(): void {
    this.#heartbeat.arm();
  }

  write(frame: ClientFrame | string): void {
    try {
      this.#socket?.send(typeof frame === "string" ? frame : JSON.stringify(frame));
    } catch {
      // The socket is closing; its `closed` follows and everything unconfirmed is sent again.
    }
  }

  // MARK: losing

  /** Lets go of the socket; whatever it still says is ignored. */
  drop(code = 1000): void {
    this.#life++;
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isReady = false;
    this.#heartbeat.stop();
    this.#host.dropped();
    this.#connectAlarm.clear();
    this.#stableAlarm.clear();
    try {
      socket?.close(code);
    } catch {
      // Already closed, or never opened.
    }
  }

  /** Gives this connection up, and plans the next one where that makes sense. */
  fail(code: number, reason: string): void {
    const wasReady = this.#isReady;
    const draining = this.#state.draining === true;
    // A socket that is only silent needs a push; one that is closed does not mind.
    this.drop(code === SEQUENCE_FAULT ? SEQUENCE_FAULT : 1000);
    const hint = this.#drainUntil === undefined
      ? this.#hint_ms
      : Math.max(0, this.#drainUntil - this.#environment.now());
    this.#hint_ms = undefined;
    this.#drainUntil = undefined;
    const rule = code === SEQUENCE_FAULT ? "resume" : reconnectRule(code);
    this.#host.lost(code, rule === "never");
    const cause = this.#state.problem ?? this.#refusal ??
      { code: `close_${code}`, message: reason };
    if (rule === "never") {
      this.#setState({ ...this.#base(), phase: "closed", problem: cause });
      return;
    }
    const pause = rule === "after_pause" && hint === undefined
      ? Math.max(1, this.#attempt)
      : this.#attempt;
    const delay_ms = backoffDelay_ms(
      this.#options.backoff ?? defaultBackoff,
      pause,
      this.#environment.random(),
      hint,
    );
    this.#attempt += 1;
    // That a connection which worked was cut says nothing; only what keeps one from working does.
    const expected = wasReady && code !== SEQUENCE_FAULT && rule === "resume";
    this.#plan(delay_ms, expected ? undefined : cause, draining && code === 1012);
    if (code === 1006 && !this.#opened) this.#inquire();
  }

  /** A refused upgrade looks like an unplugged cable; a plain request may tell them apart. */
  #inquire(): void {
    const life = this.#life;
    if (!this.#environment.online()) return;
    this.#environment.inquire?.(this.#options.url).then((answer) => {
      if (life !== this.#life || this.#closed || this.#state.phase !== "waiting") return;
      const code = answer?.ready === true ? "refused" : answer?.code;
      this.#refusal = code === undefined ? undefined : { code, message: REFUSED };
      const { problem: _, ...state } = this.#state;
      const problem = this.#refusal ?? { code: "close_1006", message: "" };
      this.#setState({ ...state, problem });
    }, () => {});
  }

  #plan(delay_ms: number, problem: Problem | undefined, draining: boolean): void {
    this.#reconnectAlarm.clear();
    const offline = !this.#environment.online();
    const delay = offline ? Math.max(delay_ms, OFFLINE_ATTEMPT_MS) : delay_ms;
    this.#reconnectAlarm.set(delay, () => this.connect());
    this.#setState({
      ...this.#base(),
      phase: offline ? "offline" : "waiting",
      retry_at: this.#environment.now() + delay,
      ...(problem === undefined ? {} : { problem }),
      ...(draining ? { draining } : {}),
    });
  }

  /** An `error` of the connection: why the close follows, and how long to stay away. */
  told(frame: ErrorFrame): void {
    if (frame.retry_after_ms !== undefined) this.#hint_ms = frame.retry_after_ms;
    this.#setState({
      ...this.#state,
      problem: { code: frame.code, message: frame.message },
    });
  }

  // MARK: leaving

  /**
   * The gateway drains: leave at the moment it names, which is spread over its clients.
   *
   * A response that still runs is read to its end first: it lives where this connection leads, and nowhere else.
   */
  drains(delay_ms: number): void {
    this.#drainUntil = this.#environment.now() + delay_ms;
    this.#setState({ ...this.#state, draining: true });
    this.#reconnectAlarm.set(delay_ms, () => this.leaveDraining());
  }

  leaveDraining(): void {
    if (this.#drainUntil === undefined || this.#environment.now() < this.#drainUntil) return;
    if (!this.#isReady || this.#host.isRunning()) return;
    this.#drainUntil = undefined;
    this.drop();
    this.connect();
  }

  close(): void {
    this.#closed = true;
    this.drop();
    this.#reconnectAlarm.clear();
    this.#setState({ phase: "closed", attempt: 0 });
  }

  // MARK: the page

  page(signal: PageSignal): void {
    const { phase } = this.#state;
    switch (signal) {
      case "sleep":
        break;
      case "offline":
        if (this.#isReady) this.#heartbeat.probe();
        else if (phase === "waiting") this.#plan(OFFLINE_ATTEMPT_MS, undefined, false);
        break;
      case "online":
      case "wake":
        if (this.#isReady) this.#heartbeat.probe();
        else if (phase === "offline" || (phase === "waiting" && this.#mayHurry())) this.connect();
        break;
    }
  }

  /** A delay that the server asked for is kept even when the page wakes. */
  #mayHurry(): boolean {
    const { problem } = this.#state;
    return problem === undefined || problem.code === "close_1006" || problem.code === "refused";
  }

  // MARK: telling

  #base(): Omit<ConnectionState, "phase"> {
    const { limits, options } = this.#state;
    const session = this.#host.session();
    return {
      attempt: this.#attempt,
      ...(session === undefined ? {} : { session }),
      ...(limits === undefined ? {} : { limits }),
      ...(options === undefined ? {} : { options }),
    };
  }

  #setState(next: ConnectionState): void {
    this.#state = next;
    this.#host.changed();
  }
}
