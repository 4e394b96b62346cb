/**
 * What an answer cites: its sources, each once and numbered, and the places of its text where their marks belong.
 *
 * An annotation of the Responses API says where in its own text part it belongs: `url_citation` and
 * `container_file_citation` with `start_index` and `end_index`, `file_citation` and `file_path` with `index`.
 */

import type { UpstreamObject } from "./protocol.ts";
import type { Answer, OutputItem, TextPart } from "./turn.ts";

export interface Source {
  /** Starts at 1, in the order of the first mention. */
  readonly number: number;
  readonly key: string;
  readonly title: string;
  /** The host of a web page; empty for a file. */
  readonly host: string;
  /** As upstream wrote it: not checked, not to be linked to as it is. */
  readonly url?: string;
}

/** A mark stands behind the character before `at` (an offset in UTF-16 units, as JavaScript counts). */
export interface CitationMark {
  readonly at: number;
  readonly number: number;
}

/** The sources of an answer in the order of their first mention. */
export function sourcesOf(answer: Answer): Source[] {
  const sources = new Map<string, Source>();
  for (const item of answer.items) {
    for (const annotation of item.annotations ?? []) {
      const source = sourceOf(annotation, sources.size + 1);
      if (source !== undefined && !sources.has(source.key)) sources.set(source.key, source);
    }
  }
  return [...sources.values()];
}

function sourceOf(annotation: UpstreamObject, number: number): Source | undefined {
  const { url, title, filename, file_id } = annotation as Record<string, unknown>;
  if (typeof url === "string" && url !== "") {
    let host = url;
    try {
      host = new URL(url).hostname.replace(/^www\./, "");
    } catch {
      // Shown as it is.
    }
    const name = typeof title === "string" && title !== "" ? title : host;
    return { number, key: url, title: name, host, url };
  }
  const name = typeof filename === "string" && filename !== "" ? filename : file_id;
  return typeof name === "string" && name !== ""
    ? { number, key: name, title: name, host: "" }
    : undefined;
}

/** The marks of one text part, in the order of the text. */
export class CitationMarks {
  /** Annotations that were looked at, and those among them whose place has not come yet. */
  #seen = 0;
  #isWaiting = false;
  #marks: readonly CitationMark[] = [];
  readonly #counter = new CodePointCounter();

  /**
   * The marks of `part` as far as its text has come.
   *
   * An annotation is placed once: what a token costs depends neither on the length of the text nor on the citations.
   */
  read(answer: Answer, item: OutputItem, part: TextPart): readonly CitationMark[] {
    const annotations = item.annotations ?? [];
    if (annotations.length === this.#seen && !this.#isWaiting) return this.#marks;
    this.#seen = annotations.length;
    this.#isWaiting = false;
    const numbers = new Map(sourcesOf(answer).map(({ key, number }) => [key, number]));
    const marks = new Map<string, CitationMark>();
    for (const annotation of annotations) {
      const number = numbers.get(sourceOf(annotation, 0)?.key ?? "");
      if (number === undefined || (annotation.part ?? 0) !== part.part) continue;
      const at = this.#place(part.text, annotation);
      if (at === "later") this.#isWaiting = true;
      else if (at !== undefined) marks.set(`${at}/${number}`, { at, number });
    }
    this.#marks = [...marks.values()].sort((one, other) =>
      one.at - other.at || one.number - other.number
    );
    return this.#marks;
  }

  #place(text: string, annotation: UpstreamObject): number | "later" | undefined {
    const { start_index: start, end_index: end = annotation.index, url } = annotation;
    // Nothing ends before the first character: such a source belongs to the whole text.
    if (!isIndex(end) || end === 0) return undefined;
    const units = this.#counter.units(text, end);
    if (units === undefined) return "later";
    let at = units;
    if (at !== end && isIndex(start) && typeof url === "string" && end <= text.length) {
      // Upstream counts code points; some that imitate it count UTF-16 units. Where the link is cited itself, it tells.
      const cited = text.slice(this.#counter.units(text, start), at);
      if (!isLinkTo(url, cited) && isLinkTo(url, text.slice(start, end))) at = end;
    }
    return settledPlace(text, at);
  }
}

/** Whether a piece of Markdown is just a link, as hosted search writes them: `([host](url))`. */
function isLinkTo(url: string, text: string): boolean {
  return /^\(?\[.*\)$/s.test(text) && text.includes(url);
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Not behind white space, since a mark belongs to the word before it; and not inside of a word. */
function settledPlace(text: string, at: number): number {
  let place = at;
  while (place > 0 && /\s/.test(text[place - 1]!)) place--;
  if (place < at) return place;
  while (place < text.length && isLetter(text[place - 1]) && isLetter(text[place])) place++;
  return place;
}

/** A letter of a script that puts spaces between words. */
function isLetter(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}]/u.test(character) &&
    !/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u
      .test(character);
}

/** Turns counts of code points into counts of UTF-16 units of a text that only grows. */
class CodePointCounter {
  #points = 0;
  #units = 0;

  /** Nothing, while the text is not that long. */
  units(text: string, points: number): number | undefined {
    if (points < this.#points) this.#points = this.#units = 0;
    while (this.#points < points) {
      if (this.#units >= text.length) return undefined;
      const first = text.charCodeAt(this.#units);
      const isHigh = first >= 0xd800 && first <= 0xdbff;
      // The other half of a pair may still be on its way.
      if (isHigh && this.#units + 1 >= text.length) return undefined;
      const next = isHigh ? text.charCodeAt(this.#units + 1) : 0;
      this.#units += next >= 0xdc00 && next <= 0xdfff ? 2 : 1;
      this.#points += 1;
    }
    return this.#units;
  }
}
