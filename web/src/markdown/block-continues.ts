import type { Block } from "./block.ts";
import type { BlockTree } from "./block-tree.ts";
import type { LineReader } from "./line-reader.ts";

/** `done`: the line was the block's end, and nothing more is on it. */
export type Continuation = "yes" | "no" | "done";

/** Whether the line goes on with an open block; the marks that say so are taken in. */
export function continues(tree: BlockTree, line: LineReader, block: Block): Continuation {
  switch (block.type) {
    case "document":
    case "list":
      return "yes";
    case "quote":
      if (line.indent > 3 || line.text[line.next] !== ">") return "no";
      line.advanceToNext();
      line.advance(1, false);
      if (line.isSpace(line.offset)) line.advance(1, true);
      return "yes";
    case "item":
      if (line.blank) {
        if (block.children.length === 0) return "no";
        line.advanceToNext();
      } else if (line.indent >= block.list!.offset + block.list!.padding) {
        line.advance(block.list!.offset + block.list!.padding, true);
      } else {
        return "no";
      }
      return "yes";
    case "paragraph":
      return line.blank ? "no" : "yes";
    case "table":
      return line.blank ? "no" : "yes";
    case "code":
      return continuesCode(tree, line, block);
    case "math":
      return continuesMath(tree, line, block);
    case "heading":
    case "rule":
    case "row":
      return "no";
  }
}

function continuesCode(tree: BlockTree, line: LineReader, block: Block): Continuation {
  const fence = block.fence;
  if (fence === undefined) {
    if (line.indent >= 4) line.advance(4, true);
    else if (line.blank) line.advanceToNext();
    else return "no";
    return "yes";
  }
  if (line.indent <= 3 && line.text[line.next] === fence.mark) {
    const closing = new RegExp(`^\\${fence.mark}{${fence.length},}[ \\t]*$`);
    if (closing.test(line.rest)) {
      tree.finalize(block);
      return "done";
    }
  }
  for (let left = fence.indent; left > 0 && line.isSpace(line.offset); left--) {
    line.advance(1, true);
  }
  return "yes";
}

function continuesMath(tree: BlockTree, line: LineReader, block: Block): Continuation {
  const closer = block.info;
  const end = line.text.trimEnd();
  if (!end.endsWith(closer)) return "yes";
  block.text += end.slice(line.offset, -closer.length);
  tree.touched.add(block);
  tree.finalize(block);
  return "done";
}
