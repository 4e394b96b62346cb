import type { Block, Mark } from "./block.ts";
import type { MarkdownStream } from "./markdown-stream.ts";
import type { Inline } from "./inline.ts";
import { type InlineResult, parseInline } from "./inline-parser.ts";

/** A paragraph longer than this is settled piece by piece, so that its end costs the same however long it is. */
const SETTLE_ABOVE_CHARACTERS = 1_024;
const KEEP_OPEN_CHARACTERS = 256;

const NO_MARKS: readonly Mark[] = [];

/** Counts work, so that a test can assert that the cost of a token is flat. */
export const work = { inlineCharacters: 0, blockRenders: 0 };

/**
 * The inline content of one growing block.
 *
 * While the block is open its text is read again at each frame; the front part, in which nothing waits for a partner
 * any more, is read once.
 */
export class InlineStream {
  readonly #settled: Inline[] = [];
  #offset = 0;
  #tryAt = SETTLE_ABOVE_CHARACTERS;
  #key = "";
  #nodes: Inline[] = [];
  #marks: readonly Mark[] = NO_MARKS;
  #marksKey = "";

  /** The nodes of `text`, which starts with what it was at the last call, with `marks` at their places. */
  read(
    stream: MarkdownStream,
    block: Block,
    text: string,
    math: boolean,
    marks: readonly Mark[] = NO_MARKS,
  ): Inline[] {
    const growing = block.open && !stream.finished;
    const marksKey = marks.map(({ at, number }) => `${at}:${number}`).join();
    const key = `${text.length}/${growing}/${stream.definitions.size}/${marksKey}`;
    if (key === this.#key) return this.#nodes;
    this.#key = key;
    if (marksKey !== this.#marksKey) {
      // They may stand in the front part. A citation comes once, so this costs a token nothing.
      this.#marksKey = marksKey;
      this.#settled.length = this.#offset = 0;
    }
    this.#marks = marks;
    if (growing && text.length - this.#offset > this.#tryAt) this.#settle(stream, text, math);
    if (!growing && this.#offset > 0 && stream.definitions.size > 0) {
      this.#settled.length = this.#offset = 0; // A definition may have come for the front part.
    }
    const rest = this.#parse(stream, block, text, text.length, growing, math);
    this.#nodes = this.#settled.length === 0 ? rest.nodes : [...this.#settled, ...rest.nodes];
    return this.#nodes;
  }

  /** Reads the text from what is settled up to `end`. */
  #parse(
    stream: MarkdownStream,
    block: Block | undefined,
    text: string,
    end: number,
    growing: boolean,
    math: boolean,
  ): InlineResult {
    const start = this.#offset;
    work.inlineCharacters += end - start;
    return parseInline(text.slice(start, end), {
      marks: this.#marks.filter(({ at }) =>
        (at > start || start === 0) && (at <= end || end === text.length)
      ).map(({ at, number }) => ({ at: at - start, number })),
      definitions: stream.definitions,
      math,
      growing,
      onUnknownLabel: (label) => {
        if (block !== undefined) stream.awaitDefinition(label, block);
      },
    });
  }

  #settle(stream: MarkdownStream, text: string, math: boolean): void {
    const limit = text.length - KEEP_OPEN_CHARACTERS;
    const sentence = text.lastIndexOf(". ", limit);
    const cut = sentence > this.#offset ? sentence + 1 : text.lastIndexOf(" ", limit);
    if (cut <= this.#offset) return;
    const front = this.#parse(stream, undefined, text, cut, false, math);
    if (!front.clean) {
      this.#tryAt += SETTLE_ABOVE_CHARACTERS;
      return;
    }
    this.#settled.push(...front.nodes);
    this.#offset = cut;
    this.#tryAt = SETTLE_ABOVE_CHARACTERS;
  }
}

/** The text of a heading as it is read: without the closing `#`s. */
export function headingText(text: string, open: boolean): string {
  const line = text.trim();
  const shown = line.replace(/(?:^|[ \t]+)#+$/, "");
  return open ? shown.replace(/[ \t]+$/, "") : shown.trim();
}
