/** Sessions in IndexedDB: large enough for images, shared by the tabs of one origin, atomic per record. */

import { mayReplace, type SessionStore, type StoredSession } from "../core/store.ts";

const DATABASE = "millrace";
const VERSION = 1;
export const SESSIONS = "sessions";
export const CONVERSATIONS = "conversations";

let opened: Promise<IDBDatabase> | undefined;

/** Opens the database of this origin, once. */
export function openDatabase(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(DATABASE, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(SESSIONS);
      request.result.createObjectStore(CONVERSATIONS, { keyPath: "id" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  opened.catch(() => opened = undefined);
  return opened;
}

/** Runs one transaction and answers with what `work` asked for, once it is durable. */
export async function transact<T>(
  store: string,
  mode: IDBTransactionMode,
  work: (objects: IDBObjectStore, answer: (value: T) => void) => void,
): Promise<T | undefined> {
  const database = await openDatabase();
  return new Promise((resolve, reject) => {
    let result: T | undefined;
    const transaction = database.transaction(store, mode);
    transaction.oncomplete = () => resolve(result);
    transaction.onabort = () => reject(transaction.error);
    work(transaction.objectStore(store), (value) => result = value);
  });
}

export class IndexedSessionStore implements SessionStore {
  load(key: string): Promise<StoredSession | undefined> {
    return transact<StoredSession>(SESSIONS, "readonly", (objects, answer) => {
      const request = objects.get(key);
      request.onsuccess = () => answer(request.result);
    });
  }

  async save(key: string, record: StoredSession): Promise<boolean> {
    // The turns go on changing while the transaction waits: what is stored must stand at one position.
    const copy = structuredClone(record);
    const kept = await transact<boolean>(SESSIONS, "readwrite", (objects, answer) => {
      const request = objects.get(key);
      request.onsuccess = () => {
        const may = mayReplace(request.result, copy);
        if (may) objects.put(copy, key);
        answer(may);
      };
    });
    return kept ?? false;
  }

  async remove(key: string): Promise<void> {
    await transact<void>(SESSIONS, "readwrite", (objects) => {
      objects.delete(key);
    });
  }
}
