/**
 * What a page has given to the database and may not live to see kept: a page that ends takes its transactions with it.
 *
 * So it is written first to where that takes no time, the tab's own storage, from where the next page of the tab takes
 * it over. The page waits for that at every save, so what has ended and was saved is not written again.
 */

import type { Discard } from "../core/discards.ts";
import type { StoredSession } from "../core/stored-session.ts";
import { isSettled, type Turn } from "../core/turn.ts";

const PREFIX = "millrace.unsaved.";

/** Of each session what its last save has brought to its end: settled messages, and discarded ones. */
const ended = new Map<string, ReadonlySet<string>>();

const end = ({ id, delivery }: Turn) => `${delivery} ${id}`;
const gone = ({ id, at }: Discard) => `${at} ${id}`;

/** What the tab's storage answers, which may be refused, or full: then all is as safe as the database is quick. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

export const unsaved = {
  read(key: string): StoredSession | undefined {
    const read = () => JSON.parse(sessionStorage.getItem(PREFIX + key) ?? "null");
    return attempt(read) ?? undefined;
  },

  /** Of a session what neither a log nor the database has; answers with what says that it is saved. */
  write(key: string, record: StoredSession): () => void {
    const name = PREFIX + key, known = ended.get(key);
    const isNew = (end: string) => !known?.has(end);
    const asked = record.turns.filter(({ answer }) => answer === undefined);
    const all = record.discarded ?? [];
    const turns = asked.filter((turn) => isNew(end(turn)));
    const discarded = all.filter((discard) => isNew(gone(discard)));
    const text = attempt(() => {
      if (turns.length + discarded.length > 0) {
        // Without the answers it stands at no position of the log.
        const part = { ...record, turns, discarded, seq: 0, unknown_turns: 0 };
        sessionStorage.setItem(name, JSON.stringify(part));
      }
      // What an earlier save has left there, because it failed, is in this one too.
      return sessionStorage.getItem(name);
    });
    return () => {
      ended.set(key, new Set([...all.map(gone), ...asked.filter(isSettled).map(end)]));
      attempt(() => sessionStorage.getItem(name) === text && sessionStorage.removeItem(name));
    };
  },

  remove(key: string): void {
    ended.delete(key);
    attempt(() => sessionStorage.removeItem(PREFIX + key));
  },
};
