/** What stands inside a paragraph, a heading or a cell. */
export type Inline =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "code"; readonly text: string }
  | { readonly type: "math"; readonly text: string; readonly display: boolean }
  | { readonly type: "break" }
  | { readonly type: "mark"; readonly number: number }
  | { readonly type: "newline" }
  | { readonly type: "emphasis" | "strong" | "deleted"; readonly children: readonly Inline[] }
  | {
    readonly type: "link";
    readonly href: string;
    readonly title: string;
    readonly children: readonly Inline[];
  }
  | { readonly type: "image"; readonly href: string; readonly title: string; readonly alt: string };

/** The words of some nodes, without their marks. */
export function plainText(nodes: readonly Inline[]): string {
  let text = "";
  for (const node of nodes) {
    if ("text" in node) text += node.text;
    else if ("children" in node) text += plainText(node.children);
    else if (node.type === "image") text += node.alt;
    else if (node.type !== "mark") text += "\n";
  }
  return text;
}

/** Neighbouring texts as one. */
export function joinTexts(nodes: readonly Inline[]): Inline[] {
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

/** Takes the marks out of some nodes, at any depth: a mark is a link, and no link stands inside of another. */
export function takeMarks(
  nodes: readonly Inline[],
): { readonly nodes: readonly Inline[]; readonly marks: readonly Inline[] } {
  const marks: Inline[] = [];
  const without = (list: readonly Inline[]): Inline[] =>
    list.flatMap((node): Inline[] => {
      if (node.type === "mark") {
        marks.push(node);
        return [];
      }
      return "children" in node ? [{ ...node, children: without(node.children) }] : [node];
    });
  const rest = without(nodes);
  return marks.length === 0 ? { nodes, marks } : { nodes: joinTexts(rest), marks };
}
