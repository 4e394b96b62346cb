import { Alarm } from "./alarm.ts";
import type { Environment } from "./environment.ts";
import type { Awaitable, SessionStore, StoredSession } from "./store.ts";

export interface SessionKeeperHost {
  readonly environment: Environment;
  readonly store: SessionStore;
  readonly key: string;
  /** What is to be kept; nothing while there is nothing. */
  record(): StoredSession | undefined;
  isRunning(): boolean;
  /** The store has a session that it had not before. */
  stored(session: string): void;
  /** The store has a newer life of this conversation, which another page began. */
  superseded(): void;
  /** The store has refused: told once, not with every attempt, until it works again. */
  failed(error: unknown): void;
}

const SAVE_WHILE_RUNNING_MS = 1_500;
const SAVE_MS = 150;

/** Keeps the session in the store: soon after a change, and rarely while an answer streams. */
export class SessionKeeper {
  readonly #host: SessionKeeperHost;
  readonly #alarm: Alarm;
  #closed = false;
  #session: string | undefined;
  #hasFailed = false;

  constructor(host: SessionKeeperHost) {
    this.#host = host;
    this.#alarm = new Alarm(host.environment);
  }

  /** What is stored; nothing where the store refuses. */
  load(): Awaitable<StoredSession | undefined> {
    const loaded = this.#host.store.load(this.#host.key);
    if (!(loaded instanceof Promise)) return loaded;
    return loaded.catch((error) => {
      this.#failed(error);
      return undefined;
    });
  }

  /** Goes on from a record that the store had. */
  adopt(record: StoredSession | undefined): void {
    this.#session = record?.session;
  }

  /** Whether another page that opens now finds this session. */
  has(session: string | undefined): boolean {
    return this.#session === session;
  }

  /**
   * Whether the conversation goes on in this session, whatever other pages have: the store has it and no other.
   *
   * Where the store refuses, pages cannot agree on one, and each goes on in its own.
   */
  isAgreed(session: string | undefined): boolean {
    return this.#hasFailed || this.has(session);
  }

  schedule(): void {
    if (this.#closed || this.#alarm.isSet) return;
    this.#alarm.set(this.#host.isRunning() ? SAVE_WHILE_RUNNING_MS : SAVE_MS, () => this.save());
  }

  save(): void {
    if (this.#closed) return;
    this.#alarm.clear();
    const record = this.#host.record();
    if (record === undefined) return;
    const kept = (answer: boolean) => {
      if (answer) this.#kept(record);
      else this.#host.superseded();
    };
    const failed = (error: unknown) => this.#failed(error);
    try {
      const saved = this.#host.store.save(this.#host.key, record);
      if (saved instanceof Promise) saved.then(kept, failed);
      else kept(saved);
    } catch (error) {
      failed(error);
    }
  }

  #kept({ session }: StoredSession): void {
    this.#hasFailed = false;
    if (session === undefined || this.has(session) || this.#closed) return;
    this.#session = session;
    this.#host.stored(session);
  }

  #failed(error: unknown): void {
    if (this.#hasFailed || this.#closed) return;
    this.#hasFailed = true;
    this.#host.failed(error);
  }

  close(): void {
    this.#closed = true;
    this.#alarm.clear();
  }
}
