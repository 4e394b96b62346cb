import {
  type Alignment,
  Block,
  type BlockType,
  delimiterRow,
  type ListData,
  splitRow,
} from "./block.ts";
import { unescapeText } from "./entities.ts";
import { type Definitions, normalizeLabel, takeDefinition } from "./references.ts";

/** Containers inside containers, deeper than this, are text. */
const MAXIMUM_NESTING = 100;

/**
 * Turns a growing Markdown text into blocks: CommonMark with GFM's tables, task lists and strikethrough, without raw
 * HTML (which stays text) and with `$$ … $$` and `\[ … \]` for formulas.
 *
 * The text is only ever appended to. Every character is looked at once: a line is taken in as soon as its beginning
 * decides what it is, and what follows is added to that block. What is undecided (`-`, `#`, two backticks, a possible
 * table) is held back until the next characters tell, so that nothing shown is taken back. However the text is cut
 * into pieces, the blocks are the same.
 */
export class MarkdownStream {
  readonly root = new Block("document");
  readonly definitions: Definitions = new Map();
  readonly #math: boolean;

  /** Blocks that changed since the last `publish`. */
  readonly #touched = new Set<Block>();
  /** Blocks that use a label which nobody has defined yet. */
  readonly #waiting = new Map<string, Set<Block>>();

  #tip: Block = this.root;
  #pending = "";
  #afterReturn = false;
  /** The block that takes the rest of a line whose beginning was taken in early. */
  #openLine: Block | undefined;
  #finished = false;

  // The line at work.
  #line = "";
  #lineNumber = 0;
  #offset = 0;
  #column = 0;
  #partlyTab = false;
  #next = 0;
  #nextColumn = 0;
  #indent = 0;
  #blank = false;
  #allClosed = true;
  #lastMatched: Block = this.root;
  #oldTip: Block = this.root;

  constructor(options: { readonly math?: boolean } = {}) {
    this.#math = options.math ?? true;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** Appends `text`. */
  append(text: string): void {
    let rest = text.includes("\0") ? text.replaceAll("\0", "\uFFFD") : text;
    if (this.#afterReturn && rest.startsWith("\n")) rest = rest.slice(1);
    if (rest !== "") this.#afterReturn = false;
    let start = 0;
    while (start < rest.length) {
      let end = start;
      while (end < rest.length && rest[end] !== "\n" && rest[end] !== "\r") end++;
      this.#takeIn(rest.slice(start, end));
      if (end === rest.length) return;
      this.#endLine();
      if (rest[end] === "\r") {
        if (end + 1 === rest.length) this.#afterReturn = true;
        else if (rest[end + 1] === "\n") end++;
      }
      start = end + 1;
    }
  }

  /** Says that no more text comes. */
  finish(): void {
    if (this.#finished) return;
    if (this.#openLine !== undefined || this.#pending !== "") this.#endLine();
    while (this.#tip !== this.root) this.#finalize(this.#tip);
    this.root.open = false;
    this.#finished = true;
  }

  /** Tells the listeners of every block that changed since the last call; returns how many blocks those are. */
  publish(): number {
    const touched = [...this.#touched];
    this.#touched.clear();
    for (const block of touched) block.listener?.();
    return touched.length;
  }

  /** Notes that `block` uses a label without a definition, so that it changes when one comes. */
  awaitDefinition(label: string, block: Block): void {
    const blocks = this.#waiting.get(label);
    if (blocks !== undefined) blocks.add(block);
    else this.#waiting.set(label, new Set([block]));
  }

  // MARK: lines

  #takeIn(piece: string): void {
    if (piece === "") return;
    if (this.#openLine !== undefined) {
      this.#openLine.text += piece;
      this.#touched.add(this.#openLine);
      return;
    }
    this.#pending += piece;
    // A line that stays undecided for long is a rule, a fence or a table row: looking at it again costs little.
    if (this.#isDecided(this.#pending, true)) {
      const line = this.#pending;
      this.#pending = "";
      this.#openLine = this.#incorporate(line);
    }
  }

  #endLine(): void {
    if (this.#openLine !== undefined) {
      this.#openLine.text += "\n";
      this.#openLine = undefined;
    } else {
      const line = this.#pending;
      this.#pending = "";
      const block = this.#incorporate(line);
      if (block !== undefined) block.text += "\n";
    }
  }

  /** Whether nothing that may follow on this line changes what kind of block it belongs to. */
  #isDecided(line: string, first: boolean, depth = 0): boolean {
    if (depth > MAXIMUM_NESTING) return true;
    if (first && this.#tip.type === "code" && this.#tip.fence !== undefined) {
      const { mark } = this.#tip.fence;
      const bare = line.replace(/^[\s>]*/, "");
      if (bare === "" || new RegExp(`^\\${mark}*\\s*$`).test(bare)) return false;
      // Inside a list or quote the line may also end the code, by not belonging to what is around it.
      if (this.#tip.parent === this.root) return true;
    }
    if (first && this.#tip.type === "math") return false;
    const text = line.trimStart();
    if (text === "") return false;
    switch (text[0]) {
      case ">":
        return this.#isDecided(text.slice(1), false, depth + 1);
      case "#":
        return !/^#{1,6}[ \t]*$/.test(text);
      case "`":
      case "~":
        return !/^(`{1,2}$|~{1,2}$|```|~~~)/.test(text);
      case "|":
        return this.#tip.type === "row" || this.#tip.type === "table";
      case "-":
      case "+":
      case "*":
      case "_":
      case "=":
      case ":":
        if (/^[-:|\s]+$/.test(text) || /^([*_=+])(\s*\1)*\s*$/.test(text)) return false;
        if (/^[-+*][ \t]/.test(text)) return this.#isItemDecided(text.slice(2), depth + 1);
        return true;
      case "[":
        // Perhaps a link definition, which is not shown; or a task's box.
        return !/^\[([^\]\\]|\\.)*(\\|\](:.*)?)?$/.test(text);
      case "$":
        return !this.#math || (text.length > 1 && text[1] !== "$");
      case "\\":
        return text.length > 1 && (!this.#math || text[1] !== "[");
      default: {
        if (!/^\d/.test(text)) return true;
        const marker = /^\d{1,9}[.)][ \t]/.exec(text);
        if (marker !== null) return this.#isItemDecided(text.slice(marker[0].length), depth + 1);
        return !/^\d{1,9}[.)]?$/.test(text);
      }
    }
  }

  #isItemDecided(rest: string, depth: number): boolean {
    if (/^\s*\[[ xX]?\]?$/.test(rest)) return false;
    return /^\s*\[[ xX]\]\s/.test(rest)
      ? /\S$/.test(rest) && /\]\s+\S/.test(rest)
      : this.#isDecided(rest, false, depth);
  }

  // MARK: one line, after CommonMark's appendix

  /** Takes in one line, or its decided beginning; returns the block that takes more of it. */
  #incorporate(line: string): Block | undefined {
    this.#line = line;
    this.#lineNumber += 1;
    this.#offset = 0;
    this.#column = 0;
    this.#partlyTab = false;
    this.#blank = false;
    this.#oldTip = this.#tip;

    let container = this.root;
    let depth = 0;
    for (;; depth++) {
      const last = container.lastChild;
      if (last === undefined || !last.open) break;
      container = last;
      this.#findNext();
      const matched = this.#continues(container);
      if (matched === "done") return undefined;
      if (matched === "no") {
        container = container.parent!;
        break;
      }
    }
    this.#allClosed = container === this.#oldTip;
    this.#lastMatched = container;

    let leaf = container.type !== "paragraph" && takesLines(container);
    while (!leaf) {
      this.#findNext();
      if (this.#indent < 4 && !/[#`~*+_=<>0-9|:$\\-]/.test(this.#line[this.#next] ?? "")) {
        this.#advanceToNext();
        break;
      }
      const started = depth++ < MAXIMUM_NESTING ? this.#start(container) : undefined;
      if (started === undefined) {
        this.#advanceToNext();
        break;
      }
      if (started === "line") return undefined;
      container = this.#tip;
      if (started === "leaf") leaf = true;
      // A heading or table converted the paragraph it stands in; nothing more is on the line.
      if (started === "row") return this.#tip;
    }

    if (!this.#allClosed && !this.#blank && this.#tip.type === "paragraph") {
      return this.#addLine(); // Lazy continuation.
    }
    this.#closeUnmatched();
    const last = container.lastChild;
    if (this.#blank && last !== undefined) last.lastLineBlank = true;
    const lastLineBlank = this.#blank &&
      !(container.type === "quote" ||
        (container.type === "code" && container.fence !== undefined) ||
        (container.type === "item" && container.children.length === 0 &&
          container.firstLine === this.#lineNumber));
    for (let each: Block | undefined = container; each !== undefined; each = each.parent) {
      each.lastLineBlank = lastLineBlank;
    }
    if (takesLines(container)) return this.#addLine();
    if (this.#offset < this.#line.length && !this.#blank) {
      if (container.type === "table") {
        this.#add("row");
        this.#advanceToNext();
        return this.#addLine();
      }
      const paragraph = this.#add("paragraph");
      this.#advanceToNext();
      this.#takeTask(paragraph);
      return this.#addLine();
    }
    return undefined;
  }

  #addLine(): Block {
    const block = this.#tip;
    if (this.#partlyTab) {
      this.#offset += 1;
      block.text += " ".repeat(4 - (this.#column % 4));
    }
    block.text += this.#line.slice(this.#offset);
    this.#touched.add(block);
    return block;
  }

  /** `[ ]` or `[x]` at the beginning of an item's first paragraph. */
  #takeTask(paragraph: Block): void {
    const item = paragraph.parent;
    if (item?.type !== "item" || item.children.length !== 1) return;
    const box = /^\[([ xX])\](?=\s)/.exec(this.#line.slice(this.#offset));
    if (box === null) return;
    item.checked = box[1] !== " ";
    this.#touched.add(item);
    this.#advance(4, false);
  }

  #findNext(): void {
    let place = this.#offset, column = this.#column;
    for (;; place++) {
      const character = this.#line[place];
      if (character === " ") column++;
      else if (character === "\t") column += 4 - (column % 4);
      else break;
    }
    this.#blank = place >= this.#line.length;
    this.#next = place;
    this.#nextColumn = column;
    this.#indent = column - this.#column;
  }

  #advance(count: number, columns: boolean): void {
    while (count > 0 && this.#offset < this.#line.length) {
      if (this.#line[this.#offset] === "\t") {
        const toTab = 4 - (this.#column % 4);
        if (columns) {
          this.#partlyTab = toTab > count;
          const advance = Math.min(count, toTab);
          this.#column += advance;
          this.#offset += this.#partlyTab ? 0 : 1;
          count -= advance;
        } else {
          this.#partlyTab = false;
          this.#column += toTab;
          this.#offset += 1;
          count -= 1;
        }
      } else {
        this.#partlyTab = false;
        this.#offset += 1;
        this.#column += 1;
        count -= 1;
      }
    }
  }

  #advanceToNext(): void {
    this.#offset = this.#next;
    this.#column = this.#nextColumn;
    this.#partlyTab = false;
  }

  #isSpace(place: number): boolean {
    return this.#line[place] === " " || this.#line[place] === "\t";
  }

  // MARK: blocks that go on

  #continues(block: Block): "yes" | "no" | "done" {
    switch (block.type) {
      case "document":
      case "list":
        return "yes";
      case "quote":
        if (this.#indent > 3 || this.#line[this.#next] !== ">") return "no";
        this.#advanceToNext();
        this.#advance(1, false);
        if (this.#isSpace(this.#offset)) this.#advance(1, true);
        return "yes";
      case "item":
        if (this.#blank) {
          if (block.children.length === 0) return "no";
          this.#advanceToNext();
        } else if (this.#indent >= block.list!.offset + block.list!.padding) {
          this.#advance(block.list!.offset + block.list!.padding, true);
        } else {
          return "no";
        }
        return "yes";
      case "paragraph":
        return this.#blank ? "no" : "yes";
      case "table":
        return this.#blank ? "no" : "yes";
      case "code":
        return this.#continuesCode(block);
      case "math":
        return this.#continuesMath(block);
      case "heading":
      case "rule":
      case "row":
        return "no";
    }
  }

  #continuesCode(block: Block): "yes" | "no" | "done" {
    const fence = block.fence;
    if (fence === undefined) {
      if (this.#indent >= 4) this.#advance(4, true);
      else if (this.#blank) this.#advanceToNext();
      else return "no";
      return "yes";
    }
    if (this.#indent <= 3 && this.#line[this.#next] === fence.mark) {
      const closing = new RegExp(`^\\${fence.mark}{${fence.length},}[ \\t]*$`);
      if (closing.test(this.#line.slice(this.#next))) {
        this.#finalize(block);
        return "done";
      }
    }
    for (let left = fence.indent; left > 0 && this.#isSpace(this.#offset); left--) {
      this.#advance(1, true);
    }
    return "yes";
  }

  #continuesMath(block: Block): "yes" | "no" | "done" {
    const closer = block.info;
    const end = this.#line.trimEnd();
    if (!end.endsWith(closer)) return "yes";
    block.text += end.slice(this.#offset, -closer.length);
    this.#touched.add(block);
    this.#finalize(block);
    return "done";
  }

  // MARK: blocks that start

  #start(container: Block): "container" | "leaf" | "line" | "row" | undefined {
    if (this.#indent >= 4) {
      if (this.#tip.type === "paragraph" || this.#blank || container.type === "table") {
        return undefined;
      }
      this.#advance(4, true);
      this.#closeUnmatched();
      this.#add("code");
      return "leaf";
    }
    const rest = this.#line.slice(this.#next);
    if (rest[0] === ">") {
      this.#advanceToNext();
      this.#advance(1, false);
      if (this.#isSpace(this.#offset)) this.#advance(1, true);
      this.#closeUnmatched();
      this.#add("quote");
      return "container";
    }
    const heading = /^#{1,6}(?:[ \t]+|$)/.exec(rest);
    if (heading !== null) {
      this.#advanceToNext();
      this.#advance(heading[0].length, false);
      this.#closeUnmatched();
      this.#add("heading").level = heading[0].trim().length;
      return "leaf";
    }
    const fence = /^(?:`{3,}(?!.*`)|~{3,})/.exec(rest);
    if (fence !== null) {
      this.#closeUnmatched();
      const code = this.#add("code");
      code.fence = { mark: fence[0][0]!, length: fence[0].length, indent: this.#indent };
      code.info = unescapeText(rest.slice(fence[0].length).trim());
      return "line";
    }
    const formula = this.#math ? /^(\$\$|\\\[)(.*)$/.exec(rest) : null;
    if (formula !== null && this.#startFormula(formula[1]!, formula[2]!)) return "line";
    if (container.type === "paragraph" && this.#lastMatched === container) {
      const setext = /^(?:=+|-+)[ \t]*$/.exec(rest);
      if (setext !== null && this.#toHeading(container, rest[0] === "=" ? 1 : 2)) return "line";
      const align = delimiterRow(rest);
      if (align !== undefined && this.#toTable(container, align)) return "line";
    }
    if (/^(?:\*[ \t]*){3,}$|^(?:_[ \t]*){3,}$|^(?:-[ \t]*){3,}$/.test(rest)) {
      this.#closeUnmatched();
      this.#finalize(this.#add("rule"));
      return "line";
    }
    const marker = this.#listMarker(container, rest);
    if (marker === undefined) return undefined;
    this.#closeUnmatched();
    const list = this.#tip;
    if (list.type !== "list" || !sameList(list.list!, marker)) {
      this.#add("list").list = marker;
    }
    this.#add("item").list = marker;
    return "container";
  }

  #startFormula(opener: string, rest: string): boolean {
    const closer = opener === "$$" ? "$$" : "\\]";
    const body = rest.trimEnd();
    const closed = body.endsWith(closer);
    const inner = closed ? body.slice(0, -closer.length) : body;
    if (inner.includes(closer) || (closed && inner.trim() === "")) return false;
    // `\[` is also an escaped bracket: alone it opens a formula only when nothing else is on its line.
    if (!closed && opener === "\\[" && inner.trim() !== "") return false;
    this.#closeUnmatched();
    const math = this.#add("math");
    math.info = closer;
    math.text = inner.trim() === "" ? "" : inner + (closed ? "" : "\n");
    if (closed) this.#finalize(math);
    return true;
  }

  #toHeading(paragraph: Block, level: number): boolean {
    this.#closeUnmatched();
    this.#takeDefinitions(paragraph);
    if (paragraph.text.trim() === "") return false;
    const heading = new Block("heading");
    heading.level = level;
    heading.text = paragraph.text;
    this.#replace(paragraph, heading);
    this.#tip = heading;
    this.#finalize(heading);
    return true;
  }

  #toTable(paragraph: Block, align: Alignment[]): boolean {
    const lines = paragraph.text.trimEnd().split("\n");
    const header = lines.pop()!;
    if (splitRow(header).length !== align.length) return false;
    this.#closeUnmatched();
    const table = new Block("table");
    table.align = align;
    if (lines.length > 0) {
      paragraph.text = lines.join("\n");
      this.#touched.add(paragraph);
      this.#finalize(paragraph);
      this.#attach(table, this.#tip);
    } else {
      this.#replace(paragraph, table);
    }
    this.#tip = table;
    const row = this.#add("row");
    row.header = true;
    row.text = header;
    this.#finalize(row);
    return true;
  }

  #replace(old: Block, block: Block): void {
    const parent = old.parent!;
    block.parent = parent;
    block.firstLine = old.firstLine;
    parent.children = [...parent.children.slice(0, -1), block];
    old.open = false;
    this.#touched.add(parent);
  }

  #listMarker(container: Block, rest: string): ListData | undefined {
    const bullet = /^[*+-]/.exec(rest);
    const number = /^(\d{1,9})([.)])/.exec(rest);
    const match = bullet ?? number;
    if (match === null) return undefined;
    const inParagraph = container.type === "paragraph";
    if (bullet === null && inParagraph && number![1] !== "1") return undefined;
    const after = this.#line[this.#next + match[0].length];
    if (after !== undefined && after !== " " && after !== "\t") return undefined;
    if (inParagraph && this.#line.slice(this.#next + match[0].length).trim() === "") {
      return undefined;
    }

    const offset = this.#indent;
    this.#advanceToNext();
    this.#advance(match[0].length, true);
    const column = this.#column, place = this.#offset;
    do {
      this.#advance(1, true);
    } while (this.#column - column < 5 && this.#isSpace(this.#offset));
    const blankItem = this.#offset >= this.#line.length;
    const spaces = this.#column - column;
    let padding = match[0].length + spaces;
    if (spaces >= 5 || spaces < 1 || blankItem) {
      padding = match[0].length + 1;
      this.#column = column;
      this.#offset = place;
      this.#partlyTab = false;
      if (this.#isSpace(this.#offset)) this.#advance(1, true);
    }
    return {
      ordered: bullet === null,
      delimiter: bullet === null ? number![2]! : bullet[0],
      start: bullet === null ? Number(number![1]) : 1,
      padding,
      offset,
    };
  }

  // MARK: the tree

  #add(type: BlockType): Block {
    while (!canContain(this.#tip, type)) this.#finalize(this.#tip);
    const block = new Block(type);
    block.firstLine = this.#lineNumber;
    this.#attach(block, this.#tip);
    this.#tip = block;
    return block;
  }

  #attach(block: Block, parent: Block): void {
    const before = parent.lastChild;
    if (before !== undefined && endsWithBlankLine(before)) {
      const list = parent.type === "list"
        ? parent
        : parent.type === "item"
        ? parent.parent!
        : undefined;
      if (list !== undefined && !list.loose) {
        list.loose = true;
        this.#touched.add(list);
      }
    }
    block.parent = parent;
    parent.children = [...parent.children, block];
    this.#touched.add(parent);
  }

  #closeUnmatched(): void {
    if (this.#allClosed) return;
    while (this.#oldTip !== this.#lastMatched) {
      const parent = this.#oldTip.parent!;
      this.#finalize(this.#oldTip);
      this.#oldTip = parent;
    }
    this.#allClosed = true;
  }

  #finalize(block: Block): void {
    const parent = block.parent!;
    block.open = false;
    this.#touched.add(block);
    this.#tip = parent;
    if (block.type === "paragraph") {
      this.#takeDefinitions(block);
      const lone = block.text.trim() === "";
      if (
        lone && parent.lastChild === block &&
        !(parent.type === "item" && parent.checked !== undefined)
      ) {
        parent.children = parent.children.slice(0, -1);
        this.#touched.add(parent);
      }
    } else if (block.type === "code" && block.fence === undefined) {
      block.text = block.text.replace(/(\n *)+$/, "\n");
    }
  }

  /** Link definitions at the beginning of a paragraph are no text. */
  #takeDefinitions(paragraph: Block): void {
    while (paragraph.text.startsWith("[")) {
      const taken = takeDefinition(paragraph.text);
      if (taken === undefined) return;
      paragraph.text = paragraph.text.slice(taken.length);
      const label = normalizeLabel(taken.label);
      if (this.definitions.has(label)) continue;
      this.definitions.set(label, { href: taken.href, title: taken.title });
      for (const block of this.#waiting.get(label) ?? []) this.#touched.add(block);
      this.#waiting.delete(label);
    }
  }
}

function takesLines(block: Block): boolean {
  return block.type === "paragraph" || block.type === "code" || block.type === "heading" ||
    block.type === "math" || block.type === "row";
}

function canContain(parent: Block, child: BlockType): boolean {
  switch (parent.type) {
    case "document":
    case "quote":
    case "item":
      return child !== "item" && child !== "row";
    case "list":
      return child === "item";
    case "table":
      return child === "row";
    default:
      return false;
  }
}

function sameList(one: ListData, other: ListData): boolean {
  return one.ordered === other.ordered && one.delimiter === other.delimiter;
}

function endsWithBlankLine(block: Block): boolean {
  let each: Block | undefined = block;
  while (each !== undefined) {
    if (each.lastLineBlank) return true;
    each = each.type === "list" || each.type === "item" ? each.lastChild : undefined;
  }
  return false;
}
