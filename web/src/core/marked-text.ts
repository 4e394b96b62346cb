/** Where the words of a search stand in a text. */

/** A piece of a text; `match`: it is one of the words. */
export interface MarkedPart {
  readonly text: string;
  readonly match: boolean;
}

const SNIPPET_BEFORE = 28;
const SNIPPET_AFTER = 120;

/** The words of a query, each as texts are compared. */
export function searchWords(query: string): string[] {
  return [...new Set(foldCase(query).split(/\s+/).filter((word) => word !== ""))];
}

/** Lower case without a change of length, so that a place in the result is one in the text. */
export function foldCase(text: string): string {
  const folded = text.toLowerCase();
  if (folded.length === text.length) return folded;
  let exact = "";
  for (const character of text) {
    const lower = character.toLowerCase();
    exact += lower.length === character.length ? lower : character;
  }
  return exact;
}

/** The whole text in parts, those that are one of the words marked. */
export function markWords(text: string, words: readonly string[]): MarkedPart[] {
  const folded = foldCase(text);
  const parts: MarkedPart[] = [];
  let from = 0;
  while (from < text.length) {
    const next = nextWord(folded, words, from);
    if (next === undefined) break;
    if (next.at > from) parts.push({ text: text.slice(from, next.at), match: false });
    parts.push({ text: text.slice(next.at, next.end), match: true });
    from = next.end;
  }
  if (from < text.length) parts.push({ text: text.slice(from), match: false });
  return parts;
}

/** The first of the words from a place on; of two at one place the longer. */
function nextWord(folded: string, words: readonly string[], from: number) {
  let found: { at: number; end: number } | undefined;
  for (const word of words) {
    const at = folded.indexOf(word, from);
    if (at < 0) continue;
    const end = at + word.length;
    if (found === undefined || at < found.at || (at === found.at && end > found.end)) {
      found = { at, end };
    }
  }
  return found;
}

/** Some words around a place of a text in which one of `words` begins, on one line and without Markdown's own signs. */
export function snippetAround(text: string, at: number, words: readonly string[]): MarkedPart[] {
  let start = Math.max(0, at - SNIPPET_BEFORE);
  if (start > 0) {
    // Whole words only, unless one of them is longer than all there is room for.
    const space = text.slice(start, at).search(/\s/);
    if (space >= 0) start += space + 1;
    else if (isTrail(text, start)) start++;
  }
  let end = Math.min(text.length, at + SNIPPET_AFTER);
  if (end < text.length && isTrail(text, end)) end--;
  const parts = markWords(text.slice(start, end), words)
    .map(({ text, match }) => ({ text: match ? text : plain(text), match }));
  if (start > 0) parts.unshift({ text: "…", match: false });
  if (end < text.length) parts.push({ text: "…", match: false });
  return parts.filter(({ text }) => text !== "");
}

/** Whether a cut at this place would part a surrogate pair. */
function isTrail(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function plain(text: string): string {
  return text
    .replace(/\]\([^)\s]*\)?|[*`[]/g, "")
    .replace(/^#{1,6}\s|^>\s|^-\s( \]\s|x\]\s)?|\||:?-{3,}:?/gm, " ")
    .replace(/\s+/g, " ");
}
