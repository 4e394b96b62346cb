import { autolink } from "./autolink.ts";
import { type Delimiter, Emphasis } from "./emphasis.ts";
import { takeEntity } from "./entities.ts";
import type { Mark } from "./block.ts";
import { type Inline, plainText, takeMarks } from "./inline.ts";
import { collect, type Node, NodeList } from "./node-list.ts";
import {
  type Definitions,
  normalizeLabel,
  takeDestination,
  takeLabel,
  takeTitle,
} from "./references.ts";

export interface InlineOptions {
  readonly definitions: Definitions;
  readonly math: boolean;
  /** More text follows: what is opened at the end is shown as if it were closed, so that nothing flips when it is. */
  readonly growing: boolean;
  /** Numbered marks, in the order of their places. */
  readonly marks?: readonly Mark[];
  /** A label that has no definition yet. */
  readonly onUnknownLabel?: (label: string) => void;
}

export interface InlineResult {
  readonly nodes: Inline[];
  /** Nothing in the text waits for a partner, so the text can be cut here. */
  readonly clean: boolean;
}

/** A `[` or `![` that may still become a link or an image. */
interface Bracket {
  readonly node: Node;
  readonly image: boolean;
  readonly place: number;
  readonly previous: Bracket | undefined;
  readonly delimiter: Delimiter | undefined;
  active: boolean;
  bracketAfter: boolean;
}

/** Reads the inline content of `text`, after CommonMark's appendix, with GFM's strikethrough and autolinks. */
export function parseInline(text: string, options: InlineOptions): InlineResult {
  return new InlineParser(text, options).run();
}

class InlineParser {
  readonly #text: string;
  readonly #options: InlineOptions;
  #place = 0;
  readonly #nodes = new NodeList();
  readonly #emphasis: Emphasis;
  #brackets: Bracket | undefined;
  #clean = true;
  #missingRuns = new Set<number>();
  #nextMark = 0;

  constructor(text: string, options: InlineOptions) {
    this.#text = text;
    this.#options = options;
    this.#emphasis = new Emphasis(this.#nodes, options.growing);
  }

  run(): InlineResult {
    while (this.#place < this.#text.length) {
      this.#step();
      this.#placeMarks();
    }
    this.#placeMarks(true);
    if (this.#brackets !== undefined) this.#clean = false;
    if (this.#options.growing) this.#hideHalfLink();
    this.#emphasis.resolve(undefined);
    return {
      nodes: autolink(collect(this.#nodes.first, undefined)),
      clean: this.#clean && this.#emphasis.isClean,
    };
  }

  /** Marks that the last step has passed; what it took in as a whole has them behind it. */
  #placeMarks(all = false): void {
    for (;;) {
      const mark = this.#options.marks?.[this.#nextMark];
      if (mark === undefined || (mark.at > this.#place && !all)) return;
      this.#nodes.append({ type: "mark", number: mark.number });
      this.#nextMark += 1;
    }
  }

  // MARK: one step

  #step(): void {
    const character = this.#text[this.#place]!;
    switch (character) {
      case "\n":
        return this.#newline();
      case "\\":
        return this.#backslash();
      case "`":
        return this.#backticks();
      case "*":
      case "_":
      case "~":
        return this.#markRun(character);
      case "[":
        return this.#openBracket(false);
      case "!":
        if (this.#text[this.#place + 1] === "[") return this.#openBracket(true);
        this.#place += 1;
        return void this.#nodes.append(undefined, "!");
      case "]":
        return this.#closeBracket();
      case "<":
        return this.#pointed();
      case "&": {
        const entity = takeEntity(this.#text.slice(this.#place, this.#place + 36));
        this.#place += entity?.length ?? 1;
        return void this.#nodes.append(undefined, entity?.text ?? "&");
      }
      case "$":
        if (
          this.#options.math && this.#text[this.#place + 1] === "$" && this.#formula("$$", true)
        ) {
          return;
        }
        this.#place += 1;
        return void this.#nodes.append(undefined, "$");
    }
    const mark = this.#options.marks?.[this.#nextMark]?.at ?? Infinity;
    const end = Math.min(this.#nextSpecial(this.#place + 1), Math.max(mark, this.#place + 1));
    this.#nodes.append(undefined, this.#text.slice(this.#place, end));
    this.#place = end;
  }

  #nextSpecial(place: number): number {
    const special = /[\n\\`*_~[\]!<&$]/g;
    special.lastIndex = place;
    return special.exec(this.#text)?.index ?? this.#text.length;
  }

  #newline(): void {
    this.#place += 1;
    const before = this.#nodes.last;
    let hard = false;
    if (before !== undefined && before.inline === undefined && before.text.endsWith(" ")) {
      hard = before.text.endsWith("  ");
      before.text = before.text.replace(/ +$/, "");
    }
    while (this.#text[this.#place] === " " || this.#text[this.#place] === "\t") this.#place++;
    if (this.#place >= this.#text.length) return;
    this.#nodes.append({ type: hard ? "break" : "newline" });
  }

  #backslash(): void {
    const next = this.#text[this.#place + 1];
    if (this.#options.math && (next === "(" || next === "[")) {
      if (this.#formula(next === "(" ? "\\(" : "\\[", next === "[")) return;
    }
    if (next === "\n") {
      this.#place += 2;
      while (this.#text[this.#place] === " ") this.#place++;
      if (this.#place < this.#text.length) this.#nodes.append({ type: "break" });
      else this.#nodes.append(undefined, "\\");
    } else if (next !== undefined && /[!-/:-@[-`{-~]/.test(next)) {
      this.#place += 2;
      // A node of its own kind, so that an escaped character takes no part in autolinks.
      this.#nodes.append({ type: "text", text: next });
    } else {
      this.#place += 1;
      if (next !== undefined || !this.#options.growing) this.#nodes.append(undefined, "\\");
      if (next === undefined) this.#clean = false;
    }
  }

  #formula(opener: string, display: boolean): boolean {
    const closer = opener === "$$" ? "$$" : opener === "\\(" ? "\\)" : "\\]";
    const start = this.#place + opener.length;
    const end = this.#text.indexOf(closer, start);
    if (end === -1) {
      this.#clean = false;
      return false;
    }
    const body = this.#text.slice(start, end);
    if (body.trim() === "" || body.includes("`")) return false;
    this.#nodes.append({ type: "math", text: body.trim(), display });
    this.#place = end + closer.length;
    return true;
  }

  #backticks(): void {
    const run = /^`+/.exec(this.#text.slice(this.#place))![0];
    const start = this.#place + run.length;
    if (!this.#missingRuns.has(run.length)) {
      const finder = /`+/g;
      finder.lastIndex = start;
      for (let match = finder.exec(this.#text); match !== null; match = finder.exec(this.#text)) {
        if (match[0].length !== run.length) continue;
        this.#place = finder.lastIndex;
        return void this.#nodes.append({
          type: "code",
          text: codeText(this.#text.slice(start, match.index)),
        });
      }
      this.#missingRuns.add(run.length);
      if (this.#options.growing) {
        const body = codeText(this.#text.slice(start).replace(/`+$/, ""));
        this.#place = this.#text.length;
        this.#clean = false;
        if (body.trim() !== "") this.#nodes.append({ type: "code", text: body });
        return;
      }
    }
    this.#clean = false;
    this.#place = start;
    this.#nodes.append(undefined, run);
  }

  #markRun(mark: string): void {
    const start = this.#place;
    while (this.#text[this.#place] === mark) this.#place++;
    this.#emphasis.take(this.#text, start, this.#place);
  }

  // MARK: links

  #openBracket(image: boolean): void {
    const node = this.#nodes.append(undefined, image ? "![" : "[");
    this.#place += image ? 2 : 1;
    if (this.#brackets !== undefined) this.#brackets.bracketAfter = true;
    this.#brackets = {
      node,
      image,
      place: this.#place,
      previous: this.#brackets,
      delimiter: this.#emphasis.last,
      active: true,
      bracketAfter: false,
    };
  }

  #closeBracket(): void {
    this.#place += 1;
    const opener = this.#brackets;
    if (opener === undefined) return void this.#nodes.append(undefined, "]");
    if (!opener.active) {
      this.#brackets = opener.previous;
      return void this.#nodes.append(undefined, "]");
    }
    const after = this.#place;
    const target = this.#inlineTarget() ?? this.#referenceTarget(opener, after);
    if (target === undefined) {
      if (this.#options.growing && this.#place >= this.#text.length) this.#clean = false;
      if (this.#options.growing && this.#text[after] === "(" && this.#isHalfTarget(after)) {
        // The destination is still being written: show the words, without it.
        this.#place = this.#text.length;
        this.#clean = false;
        this.#finishLink(opener, "", "", true);
        return;
      }
      this.#brackets = opener.previous;
      this.#place = after;
      return void this.#nodes.append(undefined, "]");
    }
    this.#finishLink(opener, target.href, target.title, false);
  }

  #finishLink(opener: Bracket, href: string, title: string, half: boolean): void {
    this.#emphasis.resolve(opener.delimiter);
    const { nodes, marks } = takeMarks(collect(opener.node.next, undefined));
    const children = autolink(nodes, true);
    this.#nodes.wrap(opener.node, undefined, () => {
      if (opener.image) return { type: "image", href, title, alt: plainText(children) };
      return { type: "link", href, title, children };
    });
    if (half && opener.image) this.#nodes.remove(opener.node.next!);
    for (const mark of marks) this.#nodes.append(mark);
    this.#nodes.remove(opener.node);
    this.#brackets = opener.previous;
    if (opener.image) return;
    for (let each = this.#brackets; each !== undefined; each = each.previous) {
      if (!each.image) each.active = false;
    }
  }

  #isHalfTarget(place: number): boolean {
    const rest = this.#text.slice(place + 1);
    return !rest.includes(")") &&
      /^[ \t\n]*(<[^<>\n]*|[^\s<][^\s]*)?([ \t\n]+(["'(][^]*)?)?$/.test(rest);
  }

  /** In a growing text: `![alt` at the end is the beginning of an image; show nothing of it yet. */
  #hideHalfLink(): void {
    const open = this.#brackets;
    if (open === undefined || !open.image) return;
    if (this.#text.slice(open.place).includes("]")) return;
    this.#nodes.cutAt(open.node);
    this.#emphasis.forget(open.delimiter);
  }

  #inlineTarget(): { href: string; title: string } | undefined {
    if (this.#text[this.#place] !== "(") return undefined;
    let place = this.#place + 1;
    const skip = () => {
      const space = /^[ \t]*(?:\n[ \t]*)?/.exec(this.#text.slice(place))![0].length;
      place += space;
      return space;
    };
    skip();
    const destination = takeDestination(this.#text.slice(place));
    if (destination === undefined) return undefined;
    place += destination.length;
    let title = "";
    if (skip() > 0) {
      const taken = takeTitle(this.#text.slice(place));
      if (taken !== undefined) {
        title = taken.title;
        place += taken.length;
        skip();
      }
    }
    if (this.#text[place] !== ")") return undefined;
    this.#place = place + 1;
    return { href: destination.href, title };
  }

  #referenceTarget(opener: Bracket, after: number): { href: string; title: string } | undefined {
    let label = takeLabel(this.#text.slice(after));
    let end = after;
    if (label !== undefined) end += label.length + 2;
    if (label === undefined || label === "") {
      if (label === undefined && opener.bracketAfter) return undefined;
      if (opener.bracketAfter) return undefined;
      label = this.#text.slice(opener.place, after - 1);
    }
    if (label.trim() === "" || label.length > 999) return undefined;
    const normalized = normalizeLabel(label);
    const definition = this.#options.definitions.get(normalized);
    if (definition === undefined) {
      this.#options.onUnknownLabel?.(normalized);
      return undefined;
    }
    this.#place = end;
    return { href: definition.href, title: definition.title };
  }

  /** `<https://…>` and `<name@host>`; any other tag is text, since raw HTML is never let through. */
  #pointed(): void {
    const rest = this.#text.slice(this.#place);
    // deno-lint-ignore no-control-regex
    const uri = /^<([A-Za-z][A-Za-z0-9.+-]{1,31}:[^<>\x00-\x20]*)>/.exec(rest);
    const mail = uri === null
      ? /^<([a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*)>/
        .exec(rest)
      : null;
    const match = uri ?? mail;
    if (match === null) {
      this.#place += 1;
      return void this.#nodes.append(undefined, "<");
    }
    this.#place += match[0].length;
    const text = match[1]!;
    this.#nodes.append({
      type: "link",
      href: mail === null ? text : `mailto:${text}`,
      title: "",
      children: [{ type: "text", text }],
    });
  }
}

function codeText(raw: string): string {
  const text = raw.replace(/\n/g, " ");
  return /^ .* $/.test(text) && /[^ ]/.test(text) ? text.slice(1, -1) : text;
}
