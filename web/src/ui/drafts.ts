/** What was written and not sent yet, for as long as the tab lives: a reload or a look at another chat loses nothing. */

const PREFIX = "millrace.draft.";

export const drafts = {
  read(key: string): string {
    try {
      return sessionStorage.getItem(PREFIX + key) ?? "";
    } catch {
      return "";
    }
  },

  write(key: string, text: string): void {
    try {
      if (text === "") sessionStorage.removeItem(PREFIX + key);
      else sessionStorage.setItem(PREFIX + key, text);
    } catch {
      // Full, or refused: the draft then lasts as long as the page.
    }
  },
};
