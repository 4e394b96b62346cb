/** Where a session is kept between two lives of the page. Replaceable: pass your own `SessionStore`. */

import { mergeSessions } from "./merge.ts";
import type { TextPiece } from "./text-pieces.ts";
import type { Turn } from "./turn.ts";

/**
 * All that is needed to go on: the proof, the position, and the transcript that stands at exactly that position.
 *
 * They are one record on purpose. A record that was saved too early costs a replay of the events since; it can never
 * show an event twice or leave one out.
 */
export interface StoredSession {
  readonly version: 1;
  /** Counts fresh starts: a page that still shows an older life must not overwrite a newer one. */
  readonly generation: number;
  /** Counts how often it was removed: a page that still shows what it was before must not bring it back. */
  readonly removals?: number;
  readonly session?: string;
  readonly epoch?: string;
  readonly token?: string;
  readonly seq: number;
  readonly turns: Turn[];
  /** Number of leading turns that the gateway's session does not know of. */
  readonly unknown_turns: number;
  /** Messages that were taken out of it, so that a page that still has them leaves them out too. */
  readonly discarded?: readonly string[];
  readonly saved: number;
}

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

/** What stands in the place of a session that was removed. Whoever uses its key again starts from there. */
export function removedSession(kept: StoredSession | undefined): StoredSession {
  const removals = (kept?.removals ?? 0) + 1;
  return { version: 1, generation: 0, removals, seq: 0, turns: [], unknown_turns: 0, saved: 0 };
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
