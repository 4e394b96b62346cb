import { type Alignment, Block, delimiterRow, type ListData, splitRow } from "./block.ts";
import type { BlockTree } from "./block-tree.ts";
import { unescapeText } from "./entities.ts";
import type { LineReader } from "./line-reader.ts";

/** `line`: the whole line was the block's beginning, and nothing more is on it. */
export type Started = "container" | "leaf" | "line";

/** Begins blocks: looks at the rest of a line for the marks of each kind, in CommonMark's order. */
export class BlockStarts {
  readonly #tree: BlockTree;
  readonly #line: LineReader;
  readonly #math: boolean;

  constructor(tree: BlockTree, line: LineReader, math: boolean) {
    this.#tree = tree;
    this.#line = line;
    this.#math = math;
  }

  /** Begins a block where the line says so, inside of `container`. */
  start(container: Block): Started | undefined {
    if (this.#line.indent >= 4) {
      if (this.#tree.tip.type === "paragraph" || this.#line.blank || container.type === "table") {
        return undefined;
      }
      this.#line.advance(4, true);
      this.#tree.closeUnmatched();
      this.#tree.add("code");
      return "leaf";
    }
    const rest = this.#line.rest;
    if (rest[0] === ">") {
      this.#line.advanceToNext();
      this.#line.advance(1, false);
      if (this.#line.isSpace(this.#line.offset)) this.#line.advance(1, true);
      this.#tree.closeUnmatched();
      this.#tree.add("quote");
      return "container";
    }
    const heading = /^#{1,6}(?:[ \t]+|$)/.exec(rest);
    if (heading !== null) {
      this.#line.advanceToNext();
      this.#line.advance(heading[0].length, false);
      this.#tree.closeUnmatched();
      this.#tree.placeHeading(this.#tree.add("heading"), heading[0].trim().length);
      return "leaf";
    }
    const fence = /^(?:`{3,}(?!.*`)|~{3,})/.exec(rest);
    if (fence !== null) {
      this.#tree.closeUnmatched();
      const code = this.#tree.add("code");
      code.fence = { mark: fence[0][0]!, length: fence[0].length, indent: this.#line.indent };
      code.info = unescapeText(rest.slice(fence[0].length).trim());
      return "line";
    }
    const formula = this.#math ? /^(\$\$|\\\[)(.*)$/.exec(rest) : null;
    if (formula !== null && this.#startFormula(formula[1]!, formula[2]!)) return "line";
    if (container.type === "paragraph" && this.#tree.lastMatched === container) {
      const setext = /^(?:=+|-+)[ \t]*$/.exec(rest);
      if (setext !== null && this.#toHeading(container, rest[0] === "=" ? 1 : 2)) return "line";
      const align = delimiterRow(rest);
      if (align !== undefined && this.#toTable(container, align)) return "line";
    }
    if (/^(?:\*[ \t]*){3,}$|^(?:_[ \t]*){3,}$|^(?:-[ \t]*){3,}$/.test(rest)) {
      this.#tree.closeUnmatched();
      this.#tree.finalize(this.#tree.add("rule"));
      return "line";
    }
    const marker = this.#listMarker(container, rest);
    if (marker === undefined) return undefined;
    this.#tree.closeUnmatched();
    const list = this.#tree.tip;
    if (list.type !== "list" || !sameList(list.list!, marker)) {
      this.#tree.add("list").list = marker;
    }
    this.#tree.add("item").list = marker;
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
    this.#tree.closeUnmatched();
    const math = this.#tree.add("math");
    math.info = closer;
    math.text = inner.trim() === "" ? "" : inner + (closed ? "" : "\n");
    if (closed) this.#tree.finalize(math);
    return true;
  }

  #toHeading(paragraph: Block, level: number): boolean {
    this.#tree.closeUnmatched();
    this.#tree.takeDefinitions(paragraph);
    if (paragraph.text.trim() === "") return false;
    const heading = new Block("heading");
    this.#tree.placeHeading(heading, level);
    heading.text = paragraph.text;
    heading.origins = paragraph.origins;
    this.#tree.replace(paragraph, heading);
    this.#tree.tip = heading;
    this.#tree.finalize(heading);
    return true;
  }

  #toTable(paragraph: Block, align: Alignment[]): boolean {
    const lines = paragraph.text.trimEnd().split("\n");
    const header = lines.pop()!;
    if (splitRow(header).length !== align.length) return false;
    this.#tree.closeUnmatched();
    const table = new Block("table");
    table.align = align;
    const origin = paragraph.origins.at(-1)!;
    if (lines.length > 0) {
      paragraph.text = lines.join("\n");
      this.#tree.touched.add(paragraph);
      this.#tree.finalize(paragraph);
      this.#tree.attach(table, this.#tree.tip);
      table.source = origin.source;
    } else {
      this.#tree.replace(paragraph, table);
    }
    this.#tree.tip = table;
    const row = this.#tree.add("row");
    row.header = true;
    row.text = header;
    row.source = table.source;
    row.origins = [{ at: 0, source: origin.source }];
    this.#tree.finalize(row);
    return true;
  }

  #listMarker(container: Block, rest: string): ListData | undefined {
    const bullet = /^[*+-]/.exec(rest);
    const number = /^(\d{1,9})([.)])/.exec(rest);
    const match = bullet ?? number;
    if (match === null) return undefined;
    const inParagraph = container.type === "paragraph";
    if (bullet === null && inParagraph && number![1] !== "1") return undefined;
    const after = this.#line.text[this.#line.next + match[0].length];
    if (after !== undefined && after !== " " && after !== "\t") return undefined;
    if (inParagraph && this.#line.text.slice(this.#line.next + match[0].length).trim() === "") {
      return undefined;
    }

    const offset = this.#line.indent;
    this.#line.advanceToNext();
    this.#line.advance(match[0].length, true);
    const column = this.#line.column, place = this.#line.offset;
    do {
      this.#line.advance(1, true);
    } while (this.#line.column - column < 5 && this.#line.isSpace(this.#line.offset));
    const blankItem = this.#line.offset >= this.#line.text.length;
    const spaces = this.#line.column - column;
    let padding = match[0].length + spaces;
    if (spaces >= 5 || spaces < 1 || blankItem) {
      padding = match[0].length + 1;
      this.#line.column = column;
      this.#line.offset = place;
      this.#line.partlyTab = false;
      if (this.#line.isSpace(this.#line.offset)) this.#line.advance(1, true);
    }
    return {
      ordered: bullet === null,
      delimiter: bullet === null ? number![2]! : bullet[0],
      start: bullet === null ? Number(number![1]) : 1,
      padding,
      offset,
    };
  }
}

function sameList(one: ListData, other: ListData): boolean {
  return one.ordered === other.ordered && one.delimiter === other.delimiter;
}
