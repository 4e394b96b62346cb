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

  listener: (() => void) | undefined;

  constructor(type: BlockType) {
    this.type = type;
  }

  get lastChild(): Block | undefined {
    return this.children[this.children.length - 1];
  }

  /** The language of a code block. */
  get language(): string {
    return /^\S*/.exec(this.info)![0];
  }
}

/** The cells of one table row, as text. */
export function splitRow(line: string): string[] {
  const trimmed = line.trim();
  const cells: string[] = [];
  let cell = "";
  let place = trimmed.startsWith("|") ? 1 : 0;
  for (; place < trimmed.length; place++) {
    const character = trimmed[place]!;
    if (character === "\\" && trimmed[place + 1] === "|") {
      cell += "|";
      place++;
    } else if (character === "\\" && place + 1 < trimmed.length) {
      cell += character + trimmed[++place]!;
    } else if (character === "|") {
      cells.push(cell.trim());
      cell = "";
    } else {
      cell += character;
    }
  }
  if (cell.trim() !== "" || !trimmed.endsWith("|") || trimmed.endsWith("\\|")) {
    cells.push(cell.trim());
  }
  return cells;
}

/** The alignments that a delimiter row gives, or nothing when the line is none. */
export function delimiterRow(line: string): Alignment[] | undefined {
  if (!/^\s{0,3}\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/.test(line)) {
    return undefined;
  }
  return splitRow(line).map((cell) => {
    const left = cell.startsWith(":"), right = cell.endsWith(":");
    return left && right ? "center" : left ? "left" : right ? "right" : undefined;
  });
}
