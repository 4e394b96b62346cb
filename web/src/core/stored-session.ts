/** What a session is kept as between two lives of the page. */

import type { Discard } from "./discards.ts";
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
  readonly discarded?: readonly Discard[];
  readonly saved: number;
}

/**
 * What stands in the place of a session that was removed. Whoever uses its key again starts from there.
 *
 * With the time in `saved`, a store may forget the oldest of these.
 */
export function removedSession(kept: StoredSession | undefined, saved = 0): StoredSession {
  const removals = (kept?.removals ?? 0) + 1;
  return { version: 1, generation: 0, removals, seq: 0, turns: [], unknown_turns: 0, saved };
}
