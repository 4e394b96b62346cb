/** The key that a gateway has asked for, for as long as the tab lives. */

const NAME = "millrace.access-key";
let typed: string | undefined;

export const accessKey = {
  read(): string | undefined {
    try {
      return sessionStorage.getItem(NAME) ?? typed;
    } catch {
      return typed;
    }
  },

  write(key: string): void {
    typed = key;
    try {
      sessionStorage.setItem(NAME, key);
    } catch {
      // A browser that keeps nothing: the key then lasts as long as the page.
    }
  },
};
