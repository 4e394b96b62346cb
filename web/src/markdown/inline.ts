import { takeEntity } from "./entities.ts";
import {
  type Definitions,
  normalizeLabel,
  takeDestination,
  takeLabel,
  takeTitle,
} from "./references.ts";

/** What stands inside a paragraph, a heading or a cell. */
export type Inline =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "code"; readonly text: string }
  | { readonly type: "math"; readonly text: string; readonly display: boolean }
  | { readonly type: "break" }
  | { readonly type: "newline" }
  | { readonly type: "emphasis" | "strong" | "deleted"; readonly children: readonly Inline[] }
  | {
    readonly type: "link";
    readonly href: string;
    readonly title: string;
    readonly children: readonly Inline[];
  }
  | { readonly type: "image"; readonly href: string; readonly title: string; readonly alt: string };

export interface InlineOptions {
  readonly definitions: Definitions;
  readonly math: boolean;
  /** More text follows: what is opened at the end is shown as if it were closed, so that nothing flips when it is. */
  readonly growing: boolean;
  /** A label that has no definition yet. */
  readonly onUnknownLabel?: (label: string) => void;
}

export interface InlineResult {
  readonly nodes: Inline[];
  /** Nothing in the text waits for a partner, so the text can be cut here. */
  readonly clean: boolean;
}

/** Nesting deeper than this stays text. */
const MAXIMUM_NESTING = 100;

// MARK: the list of nodes at work

interface Node {
  inline: Inline | undefined;
  /** Of `inline` nodes that hold others. */
  text: string;
  previous: Node | undefined;
  next: Node | undefined;
}

interface Delimiter {
  readonly character: string;
  count: number;
  readonly original: number;
  readonly node: Node;
  readonly canOpen: boolean;
  readonly canClose: boolean;
  previous: Delimiter | undefined;
  next: Delimiter | undefined;
}

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
  #first: Node | undefined;
  #last: Node | undefined;
  #delimiters: Delimiter | undefined;
  #brackets: Bracket | undefined;
  #clean = true;
  #missingRuns = new Set<number>();
  #depth = 0;

  constructor(text: string, options: InlineOptions) {
    this.#text = text;
    this.#options = options;
  }

  run(): InlineResult {
    while (this.#place < this.#text.length) this.#step();
    if (this.#brackets !== undefined) this.#clean = false;
    if (this.#options.growing) this.#hideHalfLink();
    this.#emphasis(undefined);
    return { nodes: autolink(collect(this.#first, undefined)), clean: this.#clean };
  }

  // MARK: nodes

  #append(inline: Inline | undefined, text = ""): Node {
    const node: Node = { inline, text, previous: this.#last, next: undefined };
    if (this.#last === undefined) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    return node;
  }

  #remove(node: Node): void {
    if (node.previous === undefined) this.#first = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.#last = node.previous;
    else node.next.previous = node.previous;
  }

  /** Puts everything between `opener` and `end` (exclusive) into one node behind `opener`. */
  #wrap(opener: Node, end: Node | undefined, make: (children: Inline[]) => Inline): Node {
    const children = collect(opener.next, end);
    const node: Node = { inline: make(children), text: "", previous: opener, next: end };
    opener.next = node;
    if (end === undefined) this.#last = node;
    else end.previous = node;
    return node;
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
        return this.#delimiterRun(character);
      case "[":
        return this.#openBracket(false);
      case "!":
        if (this.#text[this.#place + 1] === "[") return this.#openBracket(true);
        this.#place += 1;
        return void this.#append(undefined, "!");
      case "]":
        return this.#closeBracket();
      case "<":
        return this.#pointed();
      case "&": {
        const entity = takeEntity(this.#text.slice(this.#place, this.#place + 36));
        this.#place += entity?.length ?? 1;
        return void this.#append(undefined, entity?.text ?? "&");
      }
      case "$":
        if (
          this.#options.math && this.#text[this.#place + 1] === "$" && this.#formula("$$", true)
        ) {
          return;
        }
        this.#place += 1;
        return void this.#append(undefined, "$");
    }
    const end = this.#nextSpecial(this.#place + 1);
    this.#append(undefined, this.#text.slice(this.#place, end));
    this.#place = end;
  }

  #nextSpecial(place: number): number {
    const special = /[\n\\`*_~[\]!<&$]/g;
    special.lastIndex = place;
    return special.exec(this.#text)?.index ?? this.#text.length;
  }

  #newline(): void {
    this.#place += 1;
    const before = this.#last;
    let hard = false;
    if (before !== undefined && before.inline === undefined && before.text.endsWith(" ")) {
      hard = before.text.endsWith("  ");
      before.text = before.text.replace(/ +$/, "");
    }
    while (this.#text[this.#place] === " " || this.#text[this.#place] === "\t") this.#place++;
    if (this.#place >= this.#text.length) return;
    this.#append({ type: hard ? "break" : "newline" });
  }

  #backslash(): void {
    const next = this.#text[this.#place + 1];
    if (this.#options.math && (next === "(" || next === "[")) {
      if (this.#formula(next === "(" ? "\\(" : "\\[", next === "[")) return;
    }
    if (next === "\n") {
      this.#place += 2;
      while (this.#text[this.#place] === " ") this.#place++;
      if (this.#place < this.#text.length) this.#append({ type: "break" });
      else this.#append(undefined, "\\");
    } else if (next !== undefined && /[!-/:-@[-`{-~]/.test(next)) {
      this.#place += 2;
      // A node of its own kind, so that an escaped character takes no part in autolinks.
      this.#append({ type: "text", text: next });
    } else {
      this.#place += 1;
      if (next !== undefined || !this.#options.growing) this.#append(undefined, "\\");
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
    this.#append({ type: "math", text: body.trim(), display });
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
        return void this.#append({
          type: "code",
          text: codeText(this.#text.slice(start, match.index)),
        });
      }
      this.#missingRuns.add(run.length);
      if (this.#options.growing) {
        const body = codeText(this.#text.slice(start).replace(/`+$/, ""));
        this.#place = this.#text.length;
        this.#clean = false;
        if (body.trim() !== "") this.#append({ type: "code", text: body });
        return;
      }
    }
    this.#clean = false;
    this.#place = start;
    this.#append(undefined, run);
  }

  // MARK: emphasis

  #delimiterRun(character: string): void {
    const start = this.#place;
    let end = start;
    while (this.#text[end] === character) end++;
    this.#place = end;
    const count = end - start;
    const before = characterBefore(this.#text, start), after = characterAt(this.#text, end);
    const spaceAfter = /^\s$/u.test(after), spaceBefore = /^\s$/u.test(before);
    const markAfter = PUNCTUATION.test(after), markBefore = PUNCTUATION.test(before);
    const left = !spaceAfter && (!markAfter || spaceBefore || markBefore);
    const right = !spaceBefore && (!markBefore || spaceAfter || markAfter);
    const strict = character === "_";
    const canOpen = strict ? left && (!right || markBefore) : left;
    const canClose = strict ? right && (!left || markAfter) : right;
    if (this.#options.growing && end === this.#text.length && !canClose) {
      // What it opens has not come yet.
      this.#clean = false;
      return;
    }
    const node = this.#append(undefined, character.repeat(count));
    if (character === "~" && count > 2) return;
    if (!canOpen && !canClose) return;
    const delimiter: Delimiter = {
      character,
      count,
      original: count,
      node,
      canOpen,
      canClose,
      previous: this.#delimiters,
      next: undefined,
    };
    if (this.#delimiters !== undefined) this.#delimiters.next = delimiter;
    this.#delimiters = delimiter;
  }

  #removeDelimiter(delimiter: Delimiter): void {
    if (delimiter.previous !== undefined) delimiter.previous.next = delimiter.next;
    if (delimiter.next === undefined) this.#delimiters = delimiter.previous;
    else delimiter.next.previous = delimiter.previous;
  }

  #emphasis(bottom: Delimiter | undefined): void {
    const openersBottom = new Map<string, Delimiter | undefined>();
    let closer = this.#delimiters;
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
      if (found && opener !== undefined && this.#depth < MAXIMUM_NESTING) {
        closer = this.#pair(opener, closer);
      } else {
        closer = closer.next;
        openersBottom.set(key, old.previous);
        if (!old.canOpen) this.#removeDelimiter(old);
      }
    }
    // In a growing text, what is still open at its end is shown as if it were closed.
    while (this.#delimiters !== undefined && this.#delimiters !== bottom) {
      const open = this.#delimiters;
      this.#removeDelimiter(open);
      if (!open.canOpen) continue;
      this.#clean = false;
      if (this.#options.growing && bottom === undefined) this.#closeVirtually(open);
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
      this.#removeDelimiter(closer.previous);
    }
    this.#wrap(opener.node, closer.node, (children) => emphasisNode(character, used, children));
    if (opener.count === 0) {
      this.#remove(opener.node);
      this.#removeDelimiter(opener);
    }
    if (closer.count > 0) return closer;
    const next = closer.next;
    this.#remove(closer.node);
    this.#removeDelimiter(closer);
    return next;
  }

  #closeVirtually(open: Delimiter): void {
    if (open.node.next === undefined) return this.#remove(open.node);
    let left = open.count;
    while (left > 0 && this.#depth++ < MAXIMUM_NESTING) {
      const used = open.character === "~" ? left : left >= 2 ? 2 : 1;
      left -= used;
      this.#wrap(open.node, undefined, (children) => emphasisNode(open.character, used, children));
    }
    this.#remove(open.node);
  }

  // MARK: links

  #openBracket(image: boolean): void {
    const node = this.#append(undefined, image ? "![" : "[");
    this.#place += image ? 2 : 1;
    if (this.#brackets !== undefined) this.#brackets.bracketAfter = true;
    this.#brackets = {
      node,
      image,
      place: this.#place,
      previous: this.#brackets,
      delimiter: this.#delimiters,
      active: true,
      bracketAfter: false,
    };
  }

  #closeBracket(): void {
    this.#place += 1;
    const opener = this.#brackets;
    if (opener === undefined) return void this.#append(undefined, "]");
    if (!opener.active) {
      this.#brackets = opener.previous;
      return void this.#append(undefined, "]");
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
      return void this.#append(undefined, "]");
    }
    this.#finishLink(opener, target.href, target.title, false);
  }

  #finishLink(opener: Bracket, href: string, title: string, half: boolean): void {
    this.#emphasis(opener.delimiter);
    const children = autolink(collect(opener.node.next, undefined), true);
    this.#wrap(opener.node, undefined, () => {
      if (opener.image) return { type: "image", href, title, alt: plainText(children) };
      return { type: "link", href, title, children };
    });
    if (half && opener.image) this.#remove(opener.node.next!);
    this.#remove(opener.node);
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
    this.#last = open.node.previous;
    if (this.#last === undefined) this.#first = undefined;
    else this.#last.next = undefined;
    while (this.#delimiters !== undefined && this.#delimiters !== open.delimiter) {
      this.#removeDelimiter(this.#delimiters);
    }
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
      return void this.#append(undefined, "<");
    }
    this.#place += match[0].length;
    const text = match[1]!;
    this.#append({
      type: "link",
      href: mail === null ? text : `mailto:${text}`,
      title: "",
      children: [{ type: "text", text }],
    });
  }
}

// MARK: helpers

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

function codeText(raw: string): string {
  const text = raw.replace(/\n/g, " ");
  return /^ .* $/.test(text) && /[^ ]/.test(text) ? text.slice(1, -1) : text;
}

/** The nodes from `node` up to `end`, neighbouring texts joined. Escaped characters stay apart until autolinks are found. */
function collect(node: Node | undefined, end: Node | undefined): Inline[] {
  const nodes: Inline[] = [];
  let text = "";
  const flush = () => {
    if (text !== "") nodes.push({ type: "text", text });
    text = "";
  };
  for (let each = node; each !== undefined && each !== end; each = each.next) {
    if (each.inline === undefined) {
      text += each.text;
    } else {
      flush();
      nodes.push(each.inline);
    }
  }
  flush();
  return nodes;
}

/** The words of some nodes, without their marks. */
export function plainText(nodes: readonly Inline[]): string {
  let text = "";
  for (const node of nodes) {
    if ("text" in node) text += node.text;
    else if ("children" in node) text += plainText(node.children);
    else if (node.type === "image") text += node.alt;
    else text += node.type === "newline" ? "\n" : "\n";
  }
  return text;
}

// MARK: GFM's extended autolinks

const AUTOLINK =
  /(?<![\p{L}\p{N}])(?:(?:https?|ftp):\/\/[^\s<]+|www\.[^\s<]+)|[a-zA-Z0-9.+_-]+@[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_-]+)+/gu;

function autolink(nodes: readonly Inline[], insideLink = false): Inline[] {
  const result: Inline[] = [];
  let previous = "\n";
  for (const node of nodes) {
    if (node.type === "text" && !insideLink && node.text.length > 3) {
      result.push(...autolinkText(node.text, previous));
    } else if (
      (node.type === "emphasis" || node.type === "strong" || node.type === "deleted") && !insideLink
    ) {
      result.push({ ...node, children: autolink(node.children) });
    } else {
      result.push(node);
    }
    previous = "text" in node
      ? node.text.slice(-1)
      : node.type === "newline" || node.type === "break"
      ? "\n"
      : ")";
  }
  return joinTexts(result);
}

function autolinkText(text: string, before: string): Inline[] {
  const nodes: Inline[] = [];
  let place = 0;
  AUTOLINK.lastIndex = 0;
  for (let match = AUTOLINK.exec(text); match !== null; match = AUTOLINK.exec(text)) {
    const mail = !/^(?:https?:|ftp:|www\.)/.test(match[0]);
    const lead = match.index === 0 ? before : text[match.index - 1]!;
    if (match[0].startsWith("www.") && !/[\s*_~(]/.test(lead)) continue;
    const link = mail ? trimMail(match[0]) : trimLink(match[0]);
    if (link === undefined) continue;
    if (match.index > place) nodes.push({ type: "text", text: text.slice(place, match.index) });
    const href = mail ? `mailto:${link}` : link.startsWith("www.") ? `http://${link}` : link;
    nodes.push({ type: "link", href, title: "", children: [{ type: "text", text: link }] });
    place = match.index + link.length;
    AUTOLINK.lastIndex = place;
  }
  if (place < text.length) nodes.push({ type: "text", text: text.slice(place) });
  return nodes;
}

function trimMail(link: string): string | undefined {
  const trimmed = link.replace(/\.+$/, "");
  return /[-_]$/.test(trimmed) ? undefined : trimmed;
}

function trimLink(link: string): string | undefined {
  let end = link.length;
  for (;;) {
    const shown = link.slice(0, end);
    const mark = /[?!.,:*_~'"]+$/.exec(shown);
    if (mark !== null) {
      end -= mark[0].length;
    } else if (shown.endsWith(")") && count(shown, ")") > count(shown, "(")) {
      end -= 1;
    } else {
      const entity = /&[a-zA-Z0-9]+;$/.exec(shown);
      if (entity === null) break;
      end -= entity[0].length;
    }
  }
  const host = /^(?:[a-z]+:\/\/)?([^/?#:]+)/i.exec(link.slice(0, end))?.[1] ?? "";
  const parts = host.split(".");
  if (!link.startsWith("www.") || parts.length < 2) {
    if (parts.length < 2) return undefined;
  }
  if (parts.slice(-2).some((part) => part.includes("_"))) return undefined;
  return link.slice(0, end);
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

function joinTexts(nodes: readonly Inline[]): Inline[] {
  const joined: Inline[] = [];
  for (const node of nodes) {
    const last = joined.at(-1);
    if (node.type === "text" && last?.type === "text") {
      joined[joined.length - 1] = { type: "text", text: last.text + node.text };
    } else {
      joined.push(node);
    }
  }
  return joined;
}

// MARK: links that may be followed

/** The address to link to, or nothing when its scheme could run or load something. */
export function safeHref(href: string): string | undefined {
  // deno-lint-ignore no-control-regex
  const bare = href.replace(/[\x00-\x20\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202f\ufeff]/g, "");
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(bare)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    return bare.startsWith("//") || bare.startsWith("\\") ? undefined : href;
  }
  return scheme === "https" || scheme === "http" || scheme === "mailto" || scheme === "tel"
    ? href
    : undefined;
}
