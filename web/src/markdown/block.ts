/** The blocks of a Markdown text. Plain data; whoever draws a block may listen for its changes. */

export type BlockType =
  | "document"
  | "quote"
  | "list"
  | "item"
  | "paragraph"
  | "heading"
  | "code"
  | "rule"
  | "math"
  | "table"
  | "row";

export type Alignment = "left" | "center" | "right" | undefined;

export interface ListData {
  readonly ordered: boolean;
  /** `-`, `+`, `*` for bullets; `.` or `)` for numbers. */
  readonly delimiter: string;
  readonly start: number;
  /** Columns from the marker's own column to the item's content. */
  readonly padding: number;
  /** Column of the marker, relative to its container. */
  readonly offset: number;
}

/** From `at` on, a block's text is the source's from `source` on: one entry for each line. */
export interface Origin {
  readonly at: number;
  readonly source: number;
}

/** A numbered mark behind the character before `at`. */
export interface Mark {
  readonly at: number;
  readonly number: number;
}

let nextId = 1;

export class Block {
  /** Stays the same for as long as the block exists: the key of its component. */
  readonly id = nextId++;
  readonly type: BlockType;
  parent: Block | undefined;
  children: Block[] = [];
  /** More lines may still belong to it. A block that is not open never changes again, except for link definitions. */
  open = true;
  /** What the lines said, without the marks of the containers around them. */
  text = "";

  level = 0;
  /** Of a heading: how deep it stands among those before it, which may leave levels out. From 1 on. */
  depth = 0;
  list: ListData | undefined;
  loose = false;
  /** Of a task list item. */
  checked: boolean | undefined;
  fence: { readonly mark: string; readonly length: number; readonly indent: number } | undefined;
  info = "";
  align: readonly Alignment[] = [];
  header = false;

  /** The last line that reached it was blank. */
  lastLineBlank = false;
  firstLine = 0;

  /** Where in the source the line begins that it began on. */
  source = 0;
  origins: Origin[] = [];
  /** Marks whose place is in this block, by places of the source. */
  marks: readonly Mark[] = [];

  listener: (() => void) | undefined;

  constructor(type: BlockType) {
    this.type = type;
  }

  get lastChild(): Block | undefined {
    return this.children[this.children.length - 1];
  }

  /** The marks by places of `text`. */
  get textMarks(): Mark[] {
    return this.marks.map(({ at, number }) => ({ at: this.#textPlace(at), number }));
  }

  #textPlace(source: number): number {
    let place = this.origins.length - 1;
    while (place > 0 && this.origins[place]!.source >= source) place--;
    const origin = this.origins[place];
    if (origin === undefined) return this.text.length;
    const end = this.origins[place + 1]?.at ?? this.text.length;
    return Math.max(0, Math.min(origin.at + source - origin.source, end));
  }

  /** The language of a code block. */
  get language(): string {
    return /^\S*/.exec(this.info)![0];
  }
}

export interface Cell {
  readonly text: string;
  /** Where in the row it begins and ends, without the bars. */
  readonly start: number;
  readonly end: number;
}

/** The cells of one table row. */
export function splitRow(line: string): Cell[] {
  const trimmed = line.trim();
  const lead = line.length - line.trimStart().length;
  const cells: Cell[] = [];
  let cell = "", start = trimmed.startsWith("|") ? 1 : 0;
  let place = start;
  const end = () => {
    cells.push({ text: cell.trim(), start: lead + start, end: lead + place });
    cell = "";
    start = place + 1;
  };
  for (; place < trimmed.length; place++) {
    const character = trimmed[place]!;
    if (character === "\\" && trimmed[place + 1] === "|") {
      cell += "|";
      place++;
    } else if (character === "\\" && place + 1 < trimmed.length) {
      cell += character + trimmed[++place]!;
    } else if (character === "|") {
      end();
    } else {
      cell += character;
    }
  }
  if (cell.trim() !== "" || !trimmed.endsWith("|") || trimmed.endsWith("\\|")) end();
  return cells;
}

/** Those of a row's marks that stand in one cell, by places of the cell's text. */
export function cellMarks(row: string, cell: Cell, marks: readonly Mark[]): Mark[] {
  const space = /^\s*/.exec(row.slice(cell.start, cell.end))![0].length;
  return marks.filter(({ at }) => at > cell.start && at <= cell.end).map(({ at, number }) => {
    const before = row.slice(cell.start + space, at);
    return { at: before.length - before.split("\\|").length + 1, number };
  });
}

/** The alignments that a delimiter row gives, or nothing when the line is none. */
export function delimiterRow(line: string): Alignment[] | undefined {
  if (!/^\s{0,3}\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/.test(line)) {
    return undefined;
  }
  return splitRow(line).map(({ text: cell }) => {
    const left = cell.startsWith(":"), right = cell.endsWith(":");
    return left && right ? "center" : left ? "left" : right ? "right" : undefined;
  });
}
