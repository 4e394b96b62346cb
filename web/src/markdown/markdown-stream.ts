import type { Block, Mark } from "./block.ts";
import { continues } from "./block-continues.ts";
import { BlockStarts } from "./block-starts.ts";
import { BlockTree, takesLines } from "./block-tree.ts";
import { isLineDecided, MAXIMUM_NESTING } from "./line-decision.ts";
import { LineReader } from "./line-reader.ts";
import type { Definitions } from "./references.ts";

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
  readonly #math: boolean;
  readonly #tree = new BlockTree();
  readonly #line = new LineReader();
  readonly #starts: BlockStarts;
  #pending = "";
  #afterReturn = false;
  /** Characters of the source so far, and up to where the line at work begins. */
  #length = 0;
  #lineStart = 0;
  #marks: readonly Mark[] = [];
  readonly #marked = new Set<Block>();
  /** The block that takes the rest of a line whose beginning was taken in early. */
  #openLine: Block | undefined;
  #finished = false;

  constructor(options: { readonly math?: boolean } = {}) {
    this.#math = options.math ?? true;
    this.#starts = new BlockStarts(this.#tree, this.#line, this.#math);
  }

  get root(): Block {
    return this.#tree.root;
  }

  get definitions(): Definitions {
    return this.#tree.definitions;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** Appends `text`. */
  append(text: string): void {
    let rest = text.includes("\0") ? text.replaceAll("\0", "\uFFFD") : text;
    let source = this.#length;
    this.#length += text.length;
    if (this.#afterReturn && rest.startsWith("\n")) {
      rest = rest.slice(1);
      this.#lineStart = ++source;
    }
    if (text !== "") this.#afterReturn = false;
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
      this.#lineStart = source + start;
    }
  }

  /** Says that no more text comes. */
  finish(): void {
    if (this.#finished) return;
    if (this.#openLine !== undefined || this.#pending !== "") this.#endLine();
    while (this.#tree.tip !== this.root) this.#tree.finalize(this.#tree.tip);
    this.root.open = false;
    this.#finished = true;
  }

  /** Tells the listeners of every block that changed since the last call; returns how many blocks those are. */
  publish(): number {
    if (this.#marks.length > 0 || this.#marked.size > 0) this.#placeMarks();
    const touched = [...this.#tree.touched];
    this.#tree.touched.clear();
    for (const block of touched) block.listener?.();
    return touched.length;
  }

  /** Notes that `block` uses a label without a definition, so that it changes when one comes. */
  awaitDefinition(label: string, block: Block): void {
    this.#tree.awaitDefinition(label, block);
  }

  // MARK: marks

  /** From now on these marks stand in the text, in the order of their places; `publish` shows them. */
  mark(marks: readonly Mark[]): void {
    this.#marks = marks;
  }

  /** Blocks come, go and are converted, so each mark is looked up again; its way down the tree is short. */
  #placeMarks(): void {
    const placed = new Map<Block, Mark[]>();
    for (const mark of this.#marks) {
      const block = this.#blockAt(mark.at - 1);
      if (block === undefined) continue;
      const marks = placed.get(block);
      if (marks === undefined) placed.set(block, [mark]);
      else marks.push(mark);
    }
    for (const block of this.#marked) {
      if (placed.has(block)) continue;
      block.marks = [];
      this.#marked.delete(block);
      this.#tree.touched.add(block);
    }
    for (const [block, marks] of placed) {
      if (sameMarks(block.marks, marks)) continue;
      block.marks = marks;
      this.#marked.add(block);
      this.#tree.touched.add(block);
    }
  }

  /** The innermost block that holds a character of the source. */
  #blockAt(source: number): Block | undefined {
    let block = this.root;
    while (block.children.length > 0) {
      const { children } = block;
      let low = 0, high = children.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (children[middle]!.source <= source) low = middle;
        else high = middle - 1;
      }
      block = children[low]!;
    }
    return block === this.root ? undefined : block;
  }

  // MARK: lines

  #takeIn(piece: string): void {
    if (piece === "") return;
    if (this.#openLine !== undefined) {
      this.#openLine.text += piece;
      this.#tree.touched.add(this.#openLine);
      return;
    }
    this.#pending += piece;
    // A line that stays undecided for long is a rule, a fence or a table row: looking at it again costs little.
    if (this.#isDecided()) {
      const line = this.#pending;
      this.#pending = "";
      this.#openLine = this.#incorporate(line);
    }
  }

  #isDecided(): boolean {
    const context = { tip: this.#tree.tip, root: this.root, math: this.#math };
    return isLineDecided(this.#pending, context);
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

  /** Takes in one line, or its decided beginning; returns the block that takes more of it. */
  #incorporate(line: string): Block | undefined {
    this.#line.begin(line);
    this.#tree.beginLine(this.#line.number, this.#lineStart);

    let container = this.root;
    let depth = 0;
    for (;; depth++) {
      const last = container.lastChild;
      if (last === undefined || !last.open) break;
      container = last;
      this.#line.findNext();
      const matched = continues(this.#tree, this.#line, container);
      if (matched === "done") return undefined;
      if (matched === "no") {
        container = container.parent!;
        break;
      }
    }
    this.#tree.allClosed = container === this.#tree.oldTip;
    this.#tree.lastMatched = container;

    let leaf = container.type !== "paragraph" && takesLines(container);
    while (!leaf) {
      this.#line.findNext();
      if (
        this.#line.indent < 4 &&
        !/[#`~*+_=<>0-9|:$\\-]/.test(this.#line.text[this.#line.next] ?? "")
      ) {
        this.#line.advanceToNext();
        break;
      }
      const started = depth++ < MAXIMUM_NESTING ? this.#starts.start(container) : undefined;
      if (started === undefined) {
        this.#line.advanceToNext();
        break;
      }
      if (started === "line") return undefined;
      container = this.#tree.tip;
      if (started === "leaf") leaf = true;
    }

    if (!this.#tree.allClosed && !this.#line.blank && this.#tree.tip.type === "paragraph") {
      return this.#addLine(); // Lazy continuation.
    }
    this.#tree.closeUnmatched();
    const last = container.lastChild;
    if (this.#line.blank && last !== undefined) last.lastLineBlank = true;
    const lastLineBlank = this.#line.blank &&
      !(container.type === "quote" ||
        (container.type === "code" && container.fence !== undefined) ||
        (container.type === "item" && container.children.length === 0 &&
          container.firstLine === this.#line.number));
    for (let each: Block | undefined = container; each !== undefined; each = each.parent) {
      each.lastLineBlank = lastLineBlank;
    }
    if (takesLines(container)) return this.#addLine();
    if (this.#line.offset < this.#line.text.length && !this.#line.blank) {
      if (container.type === "table") {
        this.#tree.add("row");
        this.#line.advanceToNext();
        return this.#addLine();
      }
      const paragraph = this.#tree.add("paragraph");
      this.#line.advanceToNext();
      this.#takeTask(paragraph);
      return this.#addLine();
    }
    return undefined;
  }

  #addLine(): Block {
    const block = this.#tree.tip;
    if (this.#line.partlyTab) {
      this.#line.offset += 1;
      block.text += " ".repeat(4 - (this.#line.column % 4));
    }
    block.origins.push({ at: block.text.length, source: this.#lineStart + this.#line.offset });
    block.text += this.#line.text.slice(this.#line.offset);
    this.#tree.touched.add(block);
    return block;
  }

  /** `[ ]` or `[x]` at the beginning of an item's first paragraph. */
  #takeTask(paragraph: Block): void {
    const item = paragraph.parent;
    if (item?.type !== "item" || item.children.length !== 1) return;
    const box = /^\[([ xX])\](?=\s)/.exec(this.#line.text.slice(this.#line.offset));
    if (box === null) return;
    item.checked = box[1] !== " ";
    this.#tree.touched.add(item);
    this.#line.advance(4, false);
  }
}

function sameMarks(ones: readonly Mark[], others: readonly Mark[]): boolean {
  return ones.length === others.length &&
    ones.every(({ at, number }, place) =>
      at === others[place]!.at && number === others[place]!.number
    );
}
