import type { Inline } from "./inline.ts";

/** A piece of the text at work: plain so far, or finished. */
export interface Node {
  /** Finished; else it is `text`. */
  inline: Inline | undefined;
  /** How deep emphasis is nested in it. */
  readonly depth: number;
  text: string;
  previous: Node | undefined;
  next: Node | undefined;
}

/** The nodes of one inline text in their order, while emphasis and links are still being found. */
export class NodeList {
  first: Node | undefined;
  last: Node | undefined;

  append(inline: Inline | undefined, text = ""): Node {
    const node: Node = { inline, depth: 0, text, previous: this.last, next: undefined };
    if (this.last === undefined) this.first = node;
    else this.last.next = node;
    this.last = node;
    return node;
  }

  remove(node: Node): void {
    if (node.previous === undefined) this.first = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.last = node.previous;
    else node.next.previous = node.previous;
  }

  /** Forgets `node` and everything behind it. */
  cutAt(node: Node): void {
    this.last = node.previous;
    if (this.last === undefined) this.first = undefined;
    else this.last.next = undefined;
  }

  /** How deep emphasis is nested between `opener` and `end`. */
  depth(opener: Node, end: Node | undefined): number {
    let depth = 0;
    for (let each = opener.next; each !== undefined && each !== end; each = each.next) {
      depth = Math.max(depth, each.depth);
    }
    return depth;
  }

  /** Puts everything between `opener` and `end` (exclusive) into one node behind `opener`. */
  wrap(opener: Node, end: Node | undefined, make: (children: Inline[]) => Inline): Node {
    const children = collect(opener.next, end), depth = 1 + this.depth(opener, end);
    const node: Node = { inline: make(children), depth, text: "", previous: opener, next: end };
    opener.next = node;
    if (end === undefined) this.last = node;
    else end.previous = node;
    return node;
  }
}

/** The nodes from `node` up to `end`, neighbouring texts joined. Escaped characters stay apart until autolinks are found. */
export function collect(node: Node | undefined, end: Node | undefined): Inline[] {
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
