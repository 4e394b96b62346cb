/** Pages of one browser in a world without time: one store for all, a network for each, and a gateway that may forget. */

import { ChatStreamClient } from "../src/core/client.ts";
import type { Environment, PageSignal, Socket, SocketHandlers } from "../src/core/environment.ts";
import { type Awaitable, MemoryStore, type SessionStore } from "../src/core/store.ts";
import { FakeGateway, type FakeSocket, FakeWorld } from "./fake.ts";

/** Answers after a while; what it is asked in the meantime it does in order, as IndexedDB does. */
class SlowStore implements SessionStore {
  readonly #memory = new MemoryStore();

  constructor(readonly world: FakeWorld, readonly delay_ms: number) {}

  #late<T>(value: T): Promise<T> {
    const delay_ms = this.delay_ms * this.world.random();
    return new Promise((resolve) => this.world.later(delay_ms, () => resolve(value)));
  }
  load(key: string): ReturnType<SessionStore["load"]> {
    return this.#late(this.#memory.load(key));
  }
  save(...given: Parameters<SessionStore["save"]>): ReturnType<SessionStore["save"]> {
    return this.#late(this.#memory.save(...given)) as ReturnType<SessionStore["save"]>;
  }
  remove(key: string): Awaitable<void> {
    return this.#memory.remove(key);
  }
}

/** A tab: what it shows is its client's. */
export class FakePage implements Environment {
  readonly client: ChatStreamClient;
  readonly #browser: FakeBrowser;
  readonly #sockets: FakeSocket[] = [];
  #isOnline: boolean;
  #isGone = false;
  #observer: ((signal: PageSignal) => void) | undefined;

  constructor(browser: FakeBrowser, isOnline: boolean) {
    this.#browser = browser;
    this.#isOnline = isOnline;
    const { store } = browser;
    this.client = new ChatStreamClient({ url: "ws://gateway/v1/chat", environment: this, store });
    this.client.subscribe((change) => {
      if (change.type === "stored" && !this.#isGone) browser.tell(this);
    });
    void this.client.start();
  }

  get isOnline(): boolean {
    return this.#isOnline;
  }
  set isOnline(value: boolean) {
    this.#isOnline = value;
    if (!value) this.#sockets.forEach((socket) => socket.drop());
    this.#observer?.(value ? "online" : "offline");
  }

  /** The page is left as pages are, or its process ends. */
  close(how: "left" | "killed" = "left"): void {
    if (how === "left") this.client.dispose();
    this.#isGone = true;
    this.#sockets.forEach((socket) => socket.close());
    this.#browser.pages.splice(this.#browser.pages.indexOf(this), 1);
  }

  now(): number {
    return this.#browser.world.now();
  }
  date(): number {
    return this.#browser.world.date();
  }
  random(): number {
    return this.#browser.world.random();
  }
  online(): boolean {
    return this.#isOnline;
  }
  setTimer(delay_ms: number, fire: () => void): unknown {
    return this.#browser.world.setTimer(delay_ms, () => {
      if (!this.#isGone) fire();
    });
  }
  clearTimer(handle: unknown): void {
    this.#browser.world.clearTimer(handle);
  }
  observePage(observer: (signal: PageSignal) => void): () => void {
    this.#observer = observer;
    return () => this.#observer = undefined;
  }
  openSocket(url: string, subprotocol: string, handlers: SocketHandlers): Socket {
    const socket = this.#browser.world.openSocket(url, subprotocol, handlers) as FakeSocket;
    this.#sockets.push(socket);
    if (!this.#isOnline) this.#browser.world.later(1, () => socket.drop());
    return socket;
  }
}

export class FakeBrowser {
  readonly world: FakeWorld;
  readonly store: SessionStore;
  readonly pages: FakePage[] = [];
  /** Every message that started a response, as often as it did. */
  readonly asked: string[] = [];
  readonly #sessions = new Map<string, FakeGateway>();
  #lives = 0;

  constructor(seed = 1, storeDelay_ms = 0) {
    this.world = new FakeWorld(seed);
    this.store = storeDelay_ms === 0 ? new MemoryStore() : new SlowStore(this.world, storeDelay_ms);
    this.world.connect = (socket) => {
      this.world.later(2, () => socket.accept());
      socket.onSend = (hello) => {
        if (hello.type !== "hello") return;
        const [, name] = /^t_(s_\d+)_/.exec(hello.resume?.token ?? "") ?? [];
        const session = this.#session(name ?? `s_${this.#sessions.size + 1}`);
        // It takes over a socket that is open already.
        socket.accept = () => {};
        session.accept(socket);
        socket.onSend?.(hello);
      };
    };
  }

  /** The session of this name; a log of its own begins with the first who comes. */
  #session(name: string): FakeGateway {
    const known = this.#sessions.get(name);
    if (known !== undefined) return known;
    const { connect } = this.world;
    const session = new FakeGateway(this.world);
    this.world.connect = connect;
    session.session = name;
    session.epoch = `e_${this.#lives}`;
    session.responses = `r_${name}_${this.#lives}_`;
    const start = session.started.push.bind(session.started);
    session.started.push = (id) => {
      this.asked.push(id);
      return start(id);
    };
    this.#sessions.set(name, session);
    return session;
  }

  /** The gateway starts anew, and remembers nothing; whoever is connected is not any more. */
  restartGateway(): void {
    this.#lives += 1;
    for (const [name, session] of [...this.#sessions]) {
      session.message = () => {}; // What was on its way reaches nobody.
      this.#sessions.delete(name);
      this.#session(name);
    }
    this.world.sockets.forEach((socket) => socket.drop());
  }

  open(isOnline = true): FakePage {
    const page = new FakePage(this, isOnline);
    this.pages.push(page);
    return page;
  }

  /** As the page does it, by a channel between tabs. */
  tell(from: FakePage): void {
    for (const page of this.pages) if (page !== from) void page.client.reload();
  }

  timesAsked(id: string): number {
    return this.asked.filter((each) => each === id).length;
  }

  /** Lets time pass, and promises come true on the way. */
  async run(duration_ms: number, step_ms = 10): Promise<void> {
    for (let left = duration_ms; left > 0; left -= step_ms) {
      this.world.run(Math.min(left, step_ms));
      for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    }
  }

  async until(condition: () => boolean, limit_ms = 10_000): Promise<void> {
    for (let left = limit_ms; !condition(); left--) {
      if (left === 0) throw new Error("it never came true");
      await this.run(1);
    }
  }
}
