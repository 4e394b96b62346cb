import type { Inline } from "./inline.ts";
import type { Node, NodeList } from "./node-list.ts";

/** A run of `*`, `_` or `~` that may still open or close something. */
export interface Delimiter {
  readonly character: string;
  count: number;
  readonly original: number;
  readonly node: Node;
  readonly canOpen: boolean;
  readonly canClose: boolean;
  previous: Delimiter | undefined;
  next: Delimiter | undefined;
}

/** Emphasis nested deeper than this stays text. */
const MAXIMUM_NESTING = 100;

/** Finds emphasis, strong emphasis and strikethrough, after CommonMark's "process emphasis". */
export class Emphasis {
  /** The newest run that is still open. */
  last: Delimiter | undefined;
  /** Nothing waits for a partner. */
  isClean = true;
  readonly #nodes: NodeList;
  readonly #growing: boolean;

  /** `growing`: more text follows, so what is open at the end is shown as if it were closed. */
  constructor(nodes: NodeList, growing: boolean) {
    this.#nodes = nodes;
    this.#growing = growing;
  }

  /** Takes in a run of one mark in `text`, from `start` to `end`. */
  take(text: string, start: number, end: number): void {
    const character = text[start]!, count = end - start;
    const before = characterBefore(text, start), after = characterAt(text, end);
    const spaceAfter = /^\s$/u.test(after), spaceBefore = /^\s$/u.test(before);
    const markAfter = PUNCTUATION.test(after), markBefore = PUNCTUATION.test(before);
    const left = !spaceAfter && (!markAfter || spaceBefore || markBefore);
    const right = !spaceBefore && (!markBefore || spaceAfter || markAfter);
    const strict = character === "_";
    const canOpen = strict ? left && (!right || markBefore) : left;
    const canClose = strict ? right && (!left || markAfter) : right;
    if (this.#growing && end === text.length && !canClose) {
      // What it opens has not come yet.
      this.isClean = false;
      return;
    }
    const node = this.#nodes.append(undefined, character.repeat(count));
    if (character === "~" && count > 2) return;
    if (!canOpen && !canClose) return;
    const delimiter: Delimiter = {
      character,
      count,
      original: count,
      node,
      canOpen,
      canClose,
      previous: this.last,
      next: undefined,
    };
    if (this.last !== undefined) this.last.next = delimiter;
    this.last = delimiter;
  }

  /** Forgets the runs behind `bottom`. */
  forget(bottom: Delimiter | undefined): void {
    while (this.last !== undefined && this.last !== bottom) this.#remove(this.last);
  }

  #remove(delimiter: Delimiter): void {
    if (delimiter.previous !== undefined) delimiter.previous.next = delimiter.next;
    if (delimiter.next === undefined) this.last = delimiter.previous;
    else delimiter.next.previous = delimiter.previous;
  }

  /** Pairs what opens and closes behind `bottom`. */
  resolve(bottom: Delimiter | undefined): void {
    const openersBottom = new Map<string, Delimiter | undefined>();
    let closer = this.last;
    while (closer !== undefined && closer.previous !== bottom) closer = closer.previous;
    while (closer !== undefined) {
      if (!closer.canClose) {
        closer = closer.next;
        continue;
      }
      const key = closer.character + (closer.canOpen ? "o" : "") + (closer.original % 3);
      const floor = openersBottom.has(key) ? openersBottom.get(key) : bottom;
      let opener = closer.previous;
      let found = false;
      while (opener !== undefined && opener !== bottom && opener !== floor) {
        if (opener.character === closer.character && opener.canOpen && matches(opener, closer)) {
          found = true;
          break;
        }
        opener = opener.previous;
      }
      const old: Delimiter = closer;
      if (
        found && opener !== undefined &&
        this.#nodes.depth(opener.node, closer.node) < MAXIMUM_NESTING
      ) {
        closer = this.#pair(opener, closer);
      } else {
        closer = closer.next;
        openersBottom.set(key, old.previous);
        if (!old.canOpen) this.#remove(old);
      }
    }
    // In a growing text, what is still open at its end is shown as if it were closed.
    while (this.last !== undefined && this.last !== bottom) {
      const open = this.last;
      this.#remove(open);
      if (!open.canOpen) continue;
      this.isClean = false;
      if (this.#growing && bottom === undefined) this.#closeVirtually(open);
    }
  }

  #pair(opener: Delimiter, closer: Delimiter): Delimiter | undefined {
    const character = opener.character;
    const used = character === "~" ? closer.count : closer.count >= 2 && opener.count >= 2 ? 2 : 1;
    opener.count -= used;
    closer.count -= used;
    opener.node.text = opener.node.text.slice(0, opener.count);
    closer.node.text = closer.node.text.slice(0, closer.count);
    while (closer.previous !== undefined && closer.previous !== opener) {
      this.#remove(closer.previous);
    }
    this.#nodes.wrap(
      opener.node,
      closer.node,
      (children) => emphasisNode(character, used, children),
    );
    if (opener.count === 0) {
      this.#nodes.remove(opener.node);
      this.#remove(opener);
    }
    if (closer.count > 0) return closer;
    const next = closer.next;
    this.#nodes.remove(closer.node);
    this.#remove(closer);
    return next;
  }

  #closeVirtually(open: Delimiter): void {
    if (open.node.next === undefined) return this.#nodes.remove(open.node);
    let left = open.count;
    while (left > 0 && this.#nodes.depth(open.node, undefined) < MAXIMUM_NESTING) {
      const used = open.character === "~" ? left : left >= 2 ? 2 : 1;
      left -= used;
      this.#nodes.wrap(
        open.node,
        undefined,
        (children) => emphasisNode(open.character, used, children),
      );
    }
    this.#nodes.remove(open.node);
  }
}

const PUNCTUATION = /^[!-/:-@[-`{-~\p{P}\p{S}]$/u;

function characterBefore(text: string, place: number): string {
  if (place === 0) return "\n";
  const low = text.charCodeAt(place - 1);
  const pair = low >= 0xdc00 && low <= 0xdfff && place > 1;
  return text.slice(pair ? place - 2 : place - 1, place);
}

function characterAt(text: string, place: number): string {
  return place >= text.length ? "\n" : String.fromCodePoint(text.codePointAt(place)!);
}

function matches(opener: Delimiter, closer: Delimiter): boolean {
  if (opener.character === "~") return opener.count === closer.count;
  if (!opener.canClose && !closer.canOpen) return true;
  return (opener.original + closer.original) % 3 !== 0 ||
    (opener.original % 3 === 0 && closer.original % 3 === 0);
}

function emphasisNode(character: string, used: number, children: Inline[]): Inline {
  const type = character === "~" ? "deleted" : used === 2 ? "strong" : "emphasis";
  return { type, children };
}
