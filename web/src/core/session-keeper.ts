import { Alarm } from "./alarm.ts";
import type { Environment } from "./environment.ts";
import { isSameLife, type Life } from "./merge.ts";
import type { Awaitable, SessionStore } from "./store.ts";
import type { StoredSession } from "./stored-session.ts";

export interface SessionKeeperHost {
  readonly environment: Environment;
  readonly store: SessionStore;
  readonly key: string;
  /** What is to be kept; nothing while there is nothing. */
  record(): StoredSession | undefined;
  isRunning(): boolean;
  /** The store has a session that it had not before. */
  stored(session: string): void;
  /** The store keeps this, and not what it was given: other pages have written, asked or taken back something. */
  differs(stored: StoredSession): void;
  /** What waited for the store may be sent: it has answered, or refused. */
  answered(): void;
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
  #life: Life | undefined;
  /** The number of the last save, of the one that agreement waits for, and of the last that was answered. */
  #saves = 0;
  #asked = 0;
  #answered = 0;
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
    this.#life = record;
  }

  /** Whether another page that opens now goes on in the same session. */
  has(life: Life): boolean {
    return this.#life !== undefined && isSameLife(this.#life, life);
  }

  /**
   * Whether the conversation goes on in this session, whatever other pages have: the store has it and no other, and
   * what they have written in it is known.
   *
   * Where the store refuses, pages cannot agree on one, and each goes on in its own.
   */
  isAgreed(life: Life): boolean {
    return this.#hasFailed || (this.#answered >= this.#asked && this.has(life));
  }

  /** Saves, and agrees to nothing before the store has answered. */
  agree(): void {
    this.#asked = this.#saves + 1;
    this.save();
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
    const number = ++this.#saves;
    const kept = (other: StoredSession | undefined) => this.#kept(number, record, other);
    const failed = (error: unknown) => this.#failed(error);
    try {
      const saved = this.#host.store.save(this.#host.key, record);
      if (saved instanceof Promise) saved.then(kept, failed);
      else kept(saved);
    } catch (error) {
      failed(error);
    }
  }

  #kept(number: number, record: StoredSession, other: StoredSession = record): void {
    if (this.#closed) return;
    this.#hasFailed = false;
    this.#answered = Math.max(this.#answered, number);
    const isNew = !this.has(record) && isSameLife(other, record);
    if (other !== record) this.#host.differs(other);
    if (isNew) {
      this.#life = record;
      if (record.session !== undefined) this.#host.stored(record.session);
    }
    this.#host.answered();
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    if (!this.#hasFailed) this.#host.failed(error);
    this.#hasFailed = true;
    this.#host.answered();
  }

  close(): void {
    this.#closed = true;
    this.#alarm.clear();
  }
}
