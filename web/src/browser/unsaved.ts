/**
 * What a page has given to the database and may not live to see kept: a page that ends takes its transactions with it.
 *
 * So it is written first to where that takes no time, the tab's own storage, from where the next page of the tab takes
 * it over.
 */

import type { StoredSession } from "../core/stored-session.ts";

const PREFIX = "millrace.unsaved.";

export const unsaved = {
  read(key: string): StoredSession | undefined {
    try {
      return JSON.parse(sessionStorage.getItem(PREFIX + key) ?? "null") ?? undefined;
    } catch {
      return undefined;
    }
  },

  /** Of a session what no log has; answers with what says that it is saved. */
  write(key: string, record: StoredSession): () => void {
    const turns = record.turns.filter(({ answer }) => answer === undefined);
    if (turns.length + (record.discarded?.length ?? 0) === 0) return () => {};
    const name = PREFIX + key;
    try {
      // Without the answers it stands at no position of the log.
      const text = JSON.stringify({ ...record, turns, seq: 0, unknown_turns: 0 });
      sessionStorage.setItem(name, text);
      return () => sessionStorage.getItem(name) === text && sessionStorage.removeItem(name);
    } catch {
      return () => {}; // Too large, or refused: it is as safe as the database is quick.
    }
  },
};
