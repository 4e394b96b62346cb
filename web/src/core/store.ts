/** Where a session is kept between two lives of the page. Replaceable: pass your own `SessionStore`. */

import { mergeSessions } from "./merge.ts";
import { removedSession, type StoredSession } from "./stored-session.ts";
import type { TextPiece } from "./text-pieces.ts";

export type Awaitable<T> = T | Promise<T>;

export interface SessionStore {
  load(key: string): Awaitable<StoredSession | undefined>;
  /**
   * Keeps what `mergeSessions` makes of the record and what is there, in one transaction.
   *
   * It answers with what it keeps, or with nothing where that is the record. What waits is sent once it has answered,
   * so that two pages never ask the same in two sessions.
   */
  save(key: string, record: StoredSession): Awaitable<StoredSession | undefined>;
  /** Forgets what was said, and keeps that it did: `removedSession`. */
  remove(key: string): Awaitable<void>;
  /**
   * What these sessions say, for a search; those that are not kept are left out.
   *
   * A store that can tell without reading whole sessions, pictures and all, should. Without it they are loaded.
   */
  texts?(keys: readonly string[]): Awaitable<ReadonlyMap<string, readonly TextPiece[]>>;
}

/** Forgets with the page. For tests, servers, and pages that may keep nothing. */
export class MemoryStore implements SessionStore {
  readonly #records = new Map<string, string>();

  load(key: string): StoredSession | undefined {
    return this.#kept(key);
  }

  #kept(key: string): StoredSession | undefined {
    const text = this.#records.get(key);
    return text === undefined ? undefined : JSON.parse(text) as StoredSession;
  }

  save(key: string, record: StoredSession): StoredSession | undefined {
    const merged = mergeSessions(this.#kept(key), record);
    this.#records.set(key, JSON.stringify(merged));
    return merged === record ? undefined : merged;
  }

  remove(key: string): void {
    this.#records.set(key, JSON.stringify(removedSession(this.#kept(key))));
  }
}
