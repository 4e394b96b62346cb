import { Block, type BlockType } from "./block.ts";
import { type Definitions, normalizeLabel, takeDefinition } from "./references.ts";

/** The blocks so far: where the next line may go on, which of them changed, and what their labels stand for. */
export class BlockTree {
  readonly root = new Block("document");
  readonly definitions: Definitions = new Map();
  /** Blocks that changed since somebody last asked. */
  readonly touched = new Set<Block>();
  /** Blocks that use a label which nobody has defined yet. */
  readonly #waiting = new Map<string, Set<Block>>();

  /** The deepest open block. */
  tip: Block = this.root;
  lineNumber = 0;
  /** Where in the source the line at work begins. */
  source = 0;
  /** What was open before this line, and how much of that the line goes on with. */
  oldTip: Block = this.root;
  lastMatched: Block = this.root;
  allClosed = true;
  /** The levels of the headings under which the text now stands. */
  #outline: readonly number[] = [];

  beginLine(number: number, source: number): void {
    this.lineNumber = number;
    this.source = source;
    this.oldTip = this.tip;
  }

  /** Notes that `block` uses a label without a definition, so that it changes when one comes. */
  awaitDefinition(label: string, block: Block): void {
    const blocks = this.#waiting.get(label);
    if (blocks !== undefined) blocks.add(block);
    else this.#waiting.set(label, new Set([block]));
  }

  placeHeading(heading: Block, level: number): void {
    this.#outline = [...this.#outline.filter((each) => each < level), level];
    heading.level = level;
    heading.depth = this.#outline.length;
  }

  add(type: BlockType): Block {
    while (!canContain(this.tip, type)) this.finalize(this.tip);
    const block = new Block(type);
    block.firstLine = this.lineNumber;
    block.source = this.source;
    this.attach(block, this.tip);
    this.tip = block;
    return block;
  }

  attach(block: Block, parent: Block): void {
    const before = parent.lastChild;
    if (before !== undefined && endsWithBlankLine(before)) {
      const list = parent.type === "list"
        ? parent
        : parent.type === "item"
        ? parent.parent!
        : undefined;
      if (list !== undefined && !list.loose) {
        list.loose = true;
        this.touched.add(list);
      }
    }
    block.parent = parent;
    parent.children = [...parent.children, block];
    this.touched.add(parent);
  }

  closeUnmatched(): void {
    if (this.allClosed) return;
    while (this.oldTip !== this.lastMatched) {
      const parent = this.oldTip.parent!;
      this.finalize(this.oldTip);
      this.oldTip = parent;
    }
    this.allClosed = true;
  }

  finalize(block: Block): void {
    const parent = block.parent!;
    block.open = false;
    this.touched.add(block);
    this.tip = parent;
    if (block.type === "paragraph") {
      this.takeDefinitions(block);
      const lone = block.text.trim() === "";
      if (
        lone && parent.lastChild === block &&
        !(parent.type === "item" && parent.checked !== undefined)
      ) {
        parent.children = parent.children.slice(0, -1);
        this.touched.add(parent);
      }
    } else if (block.type === "code" && block.fence === undefined) {
      block.text = block.text.replace(/(\n *)+$/, "\n");
    }
  }

  /** Link definitions at the beginning of a paragraph are no text. */
  takeDefinitions(paragraph: Block): void {
    while (paragraph.text.startsWith("[")) {
      const taken = takeDefinition(paragraph.text);
      if (taken === undefined) return;
      paragraph.text = paragraph.text.slice(taken.length);
      paragraph.origins = paragraph.origins.map(({ at, source }) => ({
        at: at - taken.length,
        source,
      }));
      const label = normalizeLabel(taken.label);
      if (this.definitions.has(label)) continue;
      this.definitions.set(label, { href: taken.href, title: taken.title });
      for (const block of this.#waiting.get(label) ?? []) this.touched.add(block);
      this.#waiting.delete(label);
    }
  }

  /** Puts `block` in the place of `old`, which is the last of its parent. */
  replace(old: Block, block: Block): void {
    const parent = old.parent!;
    block.parent = parent;
    block.firstLine = old.firstLine;
    block.source = old.source;
    parent.children = [...parent.children.slice(0, -1), block];
    old.open = false;
    this.touched.add(parent);
  }
}

/** Lines are added to it as text. */
export function takesLines(block: Block): boolean {
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

function endsWithBlankLine(block: Block): boolean {
  let each: Block | undefined = block;
  while (each !== undefined) {
    if (each.lastLineBlank) return true;
    each = each.type === "list" || each.type === "item" ? each.lastChild : undefined;
  }
  return false;
}
