import { Alarm } from "./alarm.ts";
import type { Environment } from "./environment.ts";
import type { SessionStore, StoredSession } from "./store.ts";

export interface SessionKeeperHost {
  readonly environment: Environment;
  readonly store: SessionStore;
  readonly key: string;
  /** What is to be kept; nothing while there is nothing. */
  record(): StoredSession | undefined;
  isRunning(): boolean;
  kept(record: StoredSession): void;
  /** The store has a newer life of this conversation, which another page began. */
  superseded(): void;
  failed(error: unknown): void;
}

const SAVE_WHILE_RUNNING_MS = 1_500;
const SAVE_MS = 150;

/** Keeps the session in the store: soon after a change, and rarely while an answer streams. */
export class SessionKeeper {
  readonly #host: SessionKeeperHost;
  readonly #alarm: Alarm;
  #closed = false;

  constructor(host: SessionKeeperHost) {
    this.#host = host;
    this.#alarm = new Alarm(host.environment);
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
      if (answer) this.#host.kept(record);
      else this.#host.superseded();
    };
    const failed = (error: unknown) => this.#host.failed(error);
    try {
      const saved = this.#host.store.save(this.#host.key, record);
      if (saved instanceof Promise) saved.then(kept, failed);
      else kept(saved);
    } catch (error) {
      failed(error);
    }
  }

  close(): void {
    this.#closed = true;
    this.#alarm.clear();
  }
}
