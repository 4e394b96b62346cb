/** Sessions in IndexedDB: large enough for images, shared by the tabs of one origin, atomic per record. */

import { type TextPiece, textPieces } from "../core/text-pieces.ts";
import { mergeSessions } from "../core/merge.ts";
import type { SessionStore } from "../core/store.ts";
import { removedSession, type StoredSession } from "../core/stored-session.ts";
import { unsaved } from "./unsaved.ts";

const DATABASE = "millrace";
const VERSION = 3;
const SESSIONS = "sessions";
/** What the sessions say, so that a search need not read their pictures; written with each of them. */
const TEXTS = "texts";
export const CONVERSATIONS = "conversations";
/** What a page keeps of messages that were not sent yet. */
export const DRAFTS = "drafts";

/** Some browsers leave the question unanswered now and then; then they store nothing. */
const OPENS_MS = 5_000;

let opened: Promise<IDBDatabase> | undefined;

/** Opens the database of this origin, once. */
function openDatabase(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(DATABASE, VERSION);
    const late = setTimeout(
      () => reject(new DOMException("The database does not open.", "TimeoutError")),
      OPENS_MS,
    );
    request.onupgradeneeded = ({ oldVersion }) => {
      clearTimeout(late);
      const database = request.result;
      if (oldVersion < 1) {
        database.createObjectStore(SESSIONS);
        database.createObjectStore(CONVERSATIONS, { keyPath: "id" });
      }
      if (oldVersion < 2) {
        database.createObjectStore(TEXTS);
        if (oldVersion > 0) fillTexts(request.transaction!);
      }
      if (oldVersion < 3) database.createObjectStore(DRAFTS);
    };
    request.onsuccess = () => {
      clearTimeout(late);
      // A page of a later version waits until this one lets go; and a browser may close it, with what it keeps.
      request.result.onversionchange = request.result.onclose = () => {
        request.result.close();
        opened = undefined;
      };
      resolve(request.result);
    };
    request.onerror = () => {
      clearTimeout(late);
      reject(request.error);
    };
  });
  opened.catch(() => opened = undefined);
  return opened;
}

/** Reads the texts of sessions that an earlier version has kept without them. */
function fillTexts(transaction: IDBTransaction): void {
  const request = transaction.objectStore(SESSIONS).openCursor();
  request.onsuccess = () => {
    const cursor = request.result;
    if (cursor === null) return;
    const { turns } = cursor.value as StoredSession;
    transaction.objectStore(TEXTS).put(textPieces(turns), cursor.key);
    cursor.continue();
  };
}

/** Runs one transaction and answers with what `work` asked for, once it is durable. */
export async function transact<T>(
  store: string,
  mode: IDBTransactionMode,
  work: (objects: IDBObjectStore, answer: (value: T) => void, beside: IDBObjectStore) => void,
  besides: string = store,
): Promise<T | undefined> {
  const database = await openDatabase();
  return new Promise((resolve, reject) => {
    let result: T | undefined;
    const transaction = database.transaction([...new Set([store, besides])], mode);
    transaction.oncomplete = () => resolve(result);
    transaction.onabort = () => reject(transaction.error);
    work(
      transaction.objectStore(store),
      (value) => result = value,
      transaction.objectStore(besides),
    );
  });
}

/** So many removals are remembered, for tabs that slept meanwhile and still have what was removed. */
const MAXIMUM_REMOVALS = 100;

/** What has no texts was removed; that tells without reading all that was not. */
function forgetOldestRemovals(objects: IDBObjectStore, texts: IDBObjectStore): void {
  const keys = objects.getAllKeys(), withTexts = texts.getAllKeys();
  withTexts.onsuccess = () => {
    const left = new Set(withTexts.result.map(String)), found: [saved: number, IDBValidKey][] = [];
    for (const key of keys.result.filter((key) => !left.has(String(key)))) {
      const request = objects.get(key);
      request.onsuccess = () => {
        const { saved, removals, turns } = request.result as StoredSession;
        if (removals === undefined || turns.length > 0) return;
        found.push([saved, key]);
        if (found.length <= MAXIMUM_REMOVALS) return;
        found.sort(([one], [other]) => other - one);
        objects.delete(found.pop()![1]);
      };
    }
  };
}

export class IndexedSessionStore implements SessionStore {
  async load(key: string): Promise<StoredSession | undefined> {
    const left = unsaved.read(key);
    const kept = await transact<StoredSession>(SESSIONS, "readonly", (objects, answer) => {
      const request = objects.get(key);
      request.onsuccess = () => answer(request.result);
    });
    return left === undefined ? kept : mergeSessions(kept, left);
  }

  async save(key: string, record: StoredSession): Promise<StoredSession | undefined> {
    // The turns go on changing while the transaction waits: what is stored must stand at one position.
    const copy = structuredClone(record);
    const saved = unsaved.write(key, copy);
    const answer = await transact<StoredSession>(
      SESSIONS,
      "readwrite",
      (objects, answer, texts) => {
        const request = objects.get(key);
        request.onsuccess = () => {
          const merged = mergeSessions(request.result, copy);
          if (merged !== request.result) {
            objects.put(merged, key);
            texts.put(textPieces(merged.turns), key);
          }
          if (merged !== copy) answer(merged);
        };
      },
      TEXTS,
    );
    saved();
    return answer;
  }

  async remove(key: string): Promise<void> {
    await transact<void>(SESSIONS, "readwrite", (objects, _, texts) => {
      const request = objects.get(key);
      request.onsuccess = () => objects.put(removedSession(request.result, Date.now()), key);
      texts.delete(key);
      forgetOldestRemovals(objects, texts);
    }, TEXTS);
    unsaved.remove(key);
  }

  async texts(keys: readonly string[]): Promise<ReadonlyMap<string, readonly TextPiece[]>> {
    const found = new Map<string, readonly TextPiece[]>();
    await transact<void>(TEXTS, "readonly", (objects) => {
      for (const key of keys) {
        const request = objects.get(key);
        request.onsuccess = () => {
          if (request.result !== undefined) found.set(key, request.result);
        };
      }
    });
    return found;
  }
}
