/** The files of what was not sent yet, beside `drafts`: too large for where the texts are. */

import { DRAFTS, transact } from "../browser/indexed-store.ts";
import type { Environment } from "../core/environment.ts";
import type { Attachment } from "./attachments.ts";

const PREFIX = "millrace.attached.";
/** Each is at most as large as a message. A tab that is closed leaves its own behind, to be cleared away by others. */
const MAXIMUM_DRAFTS = 8;
const MAXIMUM_AGE_MS = 86_400_000;

export const attachmentDrafts = {
  /** Nothing, unless this tab has attached something to this draft before. */
  read(key: string): Promise<readonly Attachment[] | undefined> | undefined {
    const place = placeOf(key);
    return place === undefined ? undefined : transact(DRAFTS, "readonly", (objects, answer) => {
      const request = objects.get(place);
      request.onsuccess = () => answer(request.result);
    });
  },

  /** Where the browser keeps nothing, the files last as long as the page. */
  async write(
    key: string,
    attached: readonly Attachment[],
    environment: Environment,
  ): Promise<void> {
    try {
      const now = environment.date();
      const old = placeOf(key);
      // In the order of their age, since their last change.
      const place = `${now}.${environment.random()}.${key}`;
      if (attached.length === 0) sessionStorage.removeItem(PREFIX + key);
      else sessionStorage.setItem(PREFIX + key, place);
      await transact(DRAFTS, "readwrite", (objects) => {
        if (old !== undefined) objects.delete(old);
        if (attached.length > 0) objects.put(attached, place);
        objects.delete(IDBKeyRange.upperBound(String(now - MAXIMUM_AGE_MS)));
        const request = objects.getAllKeys();
        request.onsuccess = () =>
          request.result.slice(0, -MAXIMUM_DRAFTS).forEach((each) => objects.delete(each));
      });
    } catch {
      // As above.
    }
  },

  /** The chat is gone, and with it what any tab has attached to it. */
  async remove(key: string): Promise<void> {
    try {
      sessionStorage.removeItem(PREFIX + key);
      await transact(DRAFTS, "readwrite", (objects) => {
        const request = objects.getAllKeys();
        request.onsuccess = () =>
          request.result.filter((place) => String(place).endsWith(`.${key}`))
            .forEach((place) => objects.delete(place));
      });
    } catch {
      // Where nothing can be deleted, nothing was kept.
    }
  },
};

/** Under which name the tab has stored them: another tab has other files. */
function placeOf(key: string): string | undefined {
  try {
    return sessionStorage.getItem(PREFIX + key) ?? undefined;
  } catch {
    return undefined;
  }
}
