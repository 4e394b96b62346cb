/** A world without time: clock, timers, sockets and chance under the test's control, and a gateway that lives in it. */

import type {
  Environment,
  PageSignal,
  Readiness,
  Socket,
  SocketHandlers,
} from "../src/core/environment.ts";
import type { ClientFrame } from "../src/core/protocol.ts";
import { sha256Hex } from "../src/core/sha256.ts";

/** A small seeded generator (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export class FakeWorld implements Environment {
  time = 1_000;
  isOnline = true;
  random: () => number;
  /** Decides what a new socket reaches; the default refuses. */
  connect: (socket: FakeSocket) => void = (socket) => this.later(1, () => socket.drop());
  readonly sockets: FakeSocket[] = [];
  #timers: { due: number; order: number; fire: () => void }[] = [];
  #order = 0;
  #observer: ((signal: PageSignal) => void) | undefined;

  constructor(seed = 1) {
    this.random = seeded(seed);
  }

  now(): number {
    return this.time;
  }
  date(): number {
    return 1_700_000_000_000 + this.time;
  }
  setTimer(delay_ms: number, fire: () => void): unknown {
    const timer = { due: this.time + Math.max(0, delay_ms), order: this.#order++, fire };
    this.#timers.push(timer);
    return timer;
  }
  clearTimer(handle: unknown): void {
    this.#timers = this.#timers.filter((timer) => timer !== handle);
  }
  /** What a plain request to the gateway says. */
  readiness: Readiness | undefined;
  inquire(_url: string): Promise<Readiness | undefined> {
    return Promise.resolve(this.readiness);
  }
  online(): boolean {
    return this.isOnline;
  }
  observePage(observer: (signal: PageSignal) => void): () => void {
    this.#observer = observer;
    return () => this.#observer = undefined;
  }
  openSocket(url: string, _subprotocol: string, handlers: SocketHandlers): Socket {
    const socket = new FakeSocket(this, url, handlers);
    this.sockets.push(socket);
    this.connect(socket);
    return socket;
  }

  later(delay_ms: number, run: () => void): void {
    this.setTimer(delay_ms, run);
  }
  signal(signal: PageSignal): void {
    this.#observer?.(signal);
  }
  get timers(): number {
    return this.#timers.length;
  }

  /** Lets `duration_ms` pass. */
  run(duration_ms: number): void {
    const end = this.time + duration_ms;
    for (;;) {
      const next = this.#timers.filter((timer) => timer.due <= end)
        .sort((a, b) => a.due - b.due || a.order - b.order)[0];
      if (next === undefined) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.time = Math.max(this.time, next.due);
      next.fire();
    }
    this.time = end;
  }

  /** The machine sleeps: time passes, and no timer fires until it wakes. */
  sleep(duration_ms: number): void {
    this.time += duration_ms;
  }
}

export class FakeSocket implements Socket {
  readonly sent: ClientFrame[] = [];
  open = true;
  closedWith: number | undefined;
  onSend: ((frame: ClientFrame) => void) | undefined;
  readonly #handlers: SocketHandlers;

  constructor(readonly world: FakeWorld, readonly url: string, handlers: SocketHandlers) {
    this.#handlers = handlers;
  }

  send(text: string): void {
    const frame = JSON.parse(text) as ClientFrame;
    this.sent.push(frame);
    this.onSend?.(frame);
  }
  close(code = 1000): void {
    this.closedWith ??= code;
    this.open = false;
  }
  accept(): void {
    if (this.open) this.#handlers.opened();
  }
  say(...frames: object[]): void {
    this.sayText(frames.map((frame) => JSON.stringify(frame)).join("\n"));
  }
  sayText(text: string): void {
    if (this.open) this.#handlers.received(text);
  }
  drop(code = 1006): void {
    if (!this.open) return;
    this.open = false;
    this.#handlers.closed(code, "");
  }
}

interface Faults {
  /** Cut the connection with this chance before each delivery. */
  drop?: number;
  /** Deliver an event twice, or before the one it follows. */
  duplicate?: number;
  reorder?: number;
  /** Deliver nothing more on this connection, and no pong. */
  stall?: number;
  merge?: number;
}

/** An honest gateway with an honest log, behind a network that is not. */
export class FakeGateway {
  readonly log: Record<string, unknown>[] = [];
  readonly started: string[] = [];
  readonly cancelled = new Set<string>();
  faults: Faults = {};
  epoch = "e_aaaa";
  session = "s_000001aaaaaaaaaaaaaaaa";
  /** What the ids of its responses begin with. */
  responses = "r_";
  pieces = 12;
  every_ms = 10;
  refuse: Record<string, unknown> | undefined;
  snapshotBelow = 0;
  /** A `hello` that resumes nothing starts a session of its own, as the real one does. */
  freshSessions = false;
  /** What is said in place of the numbered pieces, one event after the other. */
  script: ((message: string) => Record<string, unknown>[]) | undefined;
  readonly #chance: () => number;

  constructor(readonly world: FakeWorld, seed = 1) {
    this.#chance = seeded(seed * 7919 + 13);
    world.connect = (socket) => this.accept(socket);
  }

  #roll(chance: number | undefined): boolean {
    return chance !== undefined && this.#chance() < chance;
  }

  accept(socket: FakeSocket): void {
    let position = 0;
    let stalled = false;
    socket.onSend = (frame) => {
      switch (frame.type) {
        case "hello": {
          const same = frame.resume?.token === `t_${this.session}_${this.epoch}`;
          position = same ? frame.resume!.after : 0;
          if (!same && this.freshSessions && this.log.length > 0) {
            this.log.length = 0;
            this.session = `${this.session.slice(0, -2)}${
              String(this.world.sockets.length).padStart(2, "0")
            }`;
          }
          this.world.later(3, () => {
            socket.say({
              type: "ready",
              session: this.session,
              epoch: this.epoch,
              seq: this.log.length,
              resume_token: `t_${this.session}_${this.epoch}`,
              recovered: same,
              ...(frame.resume && !same ? { reason: "session_not_found" } : {}),
              expires_in_s: 86_400,
              heartbeat_s: 25,
              limits: {
                message_bytes: 1_000_000,
                frames_per_s: 50,
                responses_per_connection: 4,
                responses_per_session: 4,
              },
            });
            pump();
          });
          break;
        }
        case "message":
          this.world.later(3, () => this.message(socket, frame));
          break;
        case "cancel":
          if (frame.message !== undefined) this.cancelled.add(frame.message);
          break;
        case "ping":
          if (!stalled) this.world.later(3, () => socket.say({ type: "pong", id: frame.id }));
          break;
      }
    };
    const pump = () => {
      if (!socket.open) return;
      if (!stalled && position < this.log.length) {
        if (this.#roll(this.faults.drop)) return socket.drop();
        if (this.#roll(this.faults.stall)) {
          stalled = true;
          return;
        }
        if (this.#roll(this.faults.duplicate) && position > 0) {
          socket.say(this.log[position - 1]!);
          if (!socket.open) return;
        }
        if (this.#roll(this.faults.reorder) && position + 1 < this.log.length) {
          socket.say(this.log[position + 1]!);
          if (!socket.open) return;
        }
        if (position < this.snapshotBelow) {
          socket.say(this.snapshot());
          position = this.log.length;
        } else {
          const count = this.#roll(this.faults.merge) ? this.#merged(position) : 1;
          socket.say(this.#frame(position, count));
          position += count;
        }
      }
      this.world.later(position < this.log.length ? 1 : 5, pump);
    };
    this.world.later(2, () => socket.accept());
  }

  /** How many deltas from `position` on may become one. */
  #merged(position: number): number {
    const first = this.log[position]!;
    let count = 1;
    if (first.type !== "delta") return 1;
    while (count < 4) {
      const next = this.log[position + count];
      if (next?.type !== "delta" || next.response !== first.response) break;
      count++;
    }
    return count;
  }

  #frame(position: number, count: number): object {
    const first = this.log[position]!;
    if (count === 1) return first;
    const parts = this.log.slice(position, position + count);
    return {
      ...first,
      from: first.seq,
      seq: parts.at(-1)!.seq,
      text: parts.map((part) => part.text).join(""),
    };
  }

  append(event: Record<string, unknown>): void {
    this.log.push({ ...event, seq: this.log.length + 1 });
  }

  message(socket: FakeSocket, frame: Extract<ClientFrame, { type: "message" }>): void {
    if (this.started.includes(frame.id)) {
      const place = this.log.findIndex((event) =>
        event.type === "message" && event.id === frame.id
      );
      return socket.say({
        type: "state",
        state: "attached",
        message: frame.id,
        response: String(this.log[place + 1]?.response ?? "r_a"),
        seq: place + 1,
        status: "in_progress",
      });
    }
    if (this.refuse !== undefined) {
      return socket.say({ type: "error", message_id: frame.id, ...this.refuse });
    }
    this.started.push(frame.id);
    this.append({ type: "message", id: frame.id, input: frame.input });
    const response = `${this.responses}${"abcdefghijklmnopqrstuvwxyz"[this.started.length % 26]}`;
    this.append({ type: "response", response, message: frame.id, status: "in_progress" });
    let text = "";
    const script = this.script?.(frame.id);
    const step = (number: number) => {
      const ended = this.cancelled.has(frame.id);
      const said = script?.[number];
      if (said !== undefined) {
        if (said.type === "delta" && said.kind === "text") text += String(said.text);
        this.append({ response, ...said });
        return this.world.later(this.every_ms, () => step(number + 1));
      }
      if (script !== undefined) number = this.pieces;
      if (!ended && number < this.pieces) {
        const piece = `${number} of ${frame.id} é\u{1F30A}. `;
        text += piece;
        this.append({ type: "delta", response, index: 0, kind: "text", text: piece });
        return this.world.later(this.every_ms, () => step(number + 1));
      }
      this.append({
        type: "complete",
        response,
        message: frame.id,
        status: ended ? "cancelled" : "completed",
        ...(ended ? { reason: "client", upstream_closed_us: 300 } : {}),
        timing: { total_ms: number * this.every_ms },
        text_sha256: sha256Hex(text),
        text_bytes: new TextEncoder().encode(text).length,
      });
    };
    this.world.later(this.every_ms, () => step(0));
  }

  snapshot(): object {
    const responses = new Map<string, Record<string, unknown>>();
    for (const event of this.log) {
      if (event.type === "message") continue;
      const id = String(event.response);
      const told = responses.get(id) ??
        { response: id, status: "in_progress", items: [], partial: [] };
      responses.set(id, told);
      if (event.type === "response") {
        told.message = event.message;
        told.input = this.log.find((each) => each.type === "message" && each.id === event.message)
          ?.input;
      } else if (event.type === "delta") {
        const partial = told.partial as { index: number; kind: string; text: string }[];
        if (partial.length === 0) partial.push({ index: 0, kind: "text", text: "" });
        partial[0]!.text += event.text;
      } else if (event.type === "complete") {
        told.status = event.status;
        told.complete = event;
        const partial = told.partial as { text: string }[];
        told.items = [{
          index: 0,
          item: {
            type: "message",
            content: [{ type: "output_text", text: partial[0]?.text ?? "" }],
          },
        }];
        told.partial = [];
      }
    }
    return {
      type: "snapshot",
      through: this.log.length,
      truncated: false,
      responses: [...responses.values()],
    };
  }
}
