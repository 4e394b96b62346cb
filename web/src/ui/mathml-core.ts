/**
 * What KaTeX writes is MathML 3, of which browsers draw what is left in MathML Core: no `mathvariant`, so that ℝ would be
 * read as R, no `menclose`, and no columns that are aligned. What they leave out is said here in letters and classes.
 */

/** A node of KaTeX's own tree: an element, a fragment of such, or text. */
export interface MathNode {
  type?: string;
  text?: string;
  attributes?: Record<string, string>;
  children?: MathNode[];
  classes?: string[];
}

/** Where the letters of an alphabet begin: capitals, small letters, digits, Greek capitals and small letters. */
const ALPHABETS: Record<string, readonly (number | undefined)[]> = {
  "bold": [0x1d400, 0x1d41a, 0x1d7ce, 0x1d6a8, 0x1d6c2],
  "bold-italic": [0x1d468, 0x1d482, 0x1d7ce, 0x1d71c, 0x1d736],
  "script": [0x1d49c, 0x1d4b6],
  "fraktur": [0x1d504, 0x1d51e],
  "double-struck": [0x1d538, 0x1d552, 0x1d7d8],
  "sans-serif": [0x1d5a0, 0x1d5ba, 0x1d7e2],
  "bold-sans-serif": [0x1d5d4, 0x1d5ee, 0x1d7ec],
  "sans-serif-italic": [0x1d608, 0x1d622],
  "monospace": [0x1d670, 0x1d68a, 0x1d7f6],
};
const BEGINNINGS = ["AZ", "az", "09", "ΑΩ", "αω"];
/** Letters that Unicode had before it had their alphabet. */
const ELDERS: Record<string, string> = {
  "script": "BℬEℰFℱHℋIℐLℒMℳRℛeℯgℊoℴ",
  "fraktur": "CℭHℌIℑRℜZℨ",
  "double-struck": "CℂHℍNℕPℙQℚRℝZℤ",
};

function lettered(text: string, variant: string): string {
  const begins = ALPHABETS[variant], elders = ELDERS[variant] ?? "";
  return [...text].map((letter) => {
    const elder = elders.indexOf(letter);
    if (elder !== -1) return elders[elder + 1];
    const range = BEGINNINGS.findIndex(([first, last]) => first! <= letter && letter <= last!);
    const begin = begins?.[range];
    return begin === undefined ? letter : String.fromCodePoint(
      begin + letter.codePointAt(0)! - BEGINNINGS[range]!.codePointAt(0)!,
    );
  }).join("");
}

/** KaTeX calls the lines beside an array `top` and `bottom`, and those above and below it `left` and `right`. */
const NOTATIONS: Record<string, string> = {
  box: "framed",
  top: "left",
  bottom: "right",
  left: "top",
  right: "bottom",
};

const SCRIPTED = /^m(?:su[bp]|under|over)/;

/** Rewrites the tree in place. */
export function toCore(node: MathNode): void {
  const { attributes = {}, classes = [], children = [] } = node;
  const variant = attributes.mathvariant ?? "";
  switch (node.type) {
    case "mi":
    case "mn":
      if (!Object.hasOwn(ALPHABETS, variant)) break;
      for (const child of children) child.text = lettered(child.text ?? "", variant);
      delete attributes.mathvariant;
      break;
    case "mtext":
      if (variant !== "") classes.push(...variant.split("-"));
      delete attributes.mathvariant;
      break;
    case "menclose":
      node.type = "mrow";
      for (const name of attributes.notation?.split(" ") ?? []) {
        classes.push(NOTATIONS[name] ?? name);
      }
      delete attributes.notation;
      break;
    case "mpadded":
      if (attributes.width?.startsWith("+") !== true) break;
      // A box in a colour. KaTeX gives its border as an inline style, which the page's policy does not allow.
      node.type = "mrow";
      classes.push(attributes.style === undefined ? "padded" : "framed");
      for (const name of ["style", "width", "height", "lspace", "voffset"]) delete attributes[name];
      break;
    case "mtable":
      for (const [place, row] of children.entries()) layOut(row, attributes, place);
      break;
  }
  children.forEach(toCore);
  if (SCRIPTED.test(node.type ?? "")) return;
  children.forEach((each, place) => setApart(children[place - 1], each, children[place + 1]));
}

/** Gives each cell of a row its side, its lines, and whether it stands close to the one before. */
function layOut(row: MathNode, table: Record<string, string>, place: number): void {
  const list = (name: string) => table[name]?.split(" ") ?? [];
  // Where equations have numbers, KaTeX has cells that are no columns.
  const isColumn = ({ classes = [] }: MathNode) =>
    !classes.includes("mtr-glue") && !classes.includes("mml-eqn-num");
  for (const [column, cell] of (row.children ?? []).filter(isColumn).entries()) {
    cell.classes?.push(
      `to-${list("columnalign")[column] ?? "center"}`,
      `end-${list("columnlines")[column] ?? "none"}`,
      `below-${list("rowlines")[place] ?? "none"}`,
    );
    if (column > 0 && list("columnspacing")[column - 1] === "0em") cell.classes?.push("close");
  }
}

/** Browsers give a function no room of its own: `x log x` would be read as one word. */
function setApart(before: MathNode | undefined, node: MathNode, next: MathNode | undefined): void {
  if (!isFunction(node)) return;
  const [first, last] = node.type === undefined
    ? [node.children?.[0], node.children?.at(-1)]
    : [node, node];
  if (before !== undefined && before.type !== "mo" && !isFunction(before)) {
    first?.classes?.push("apart-before");
  }
  if (next !== undefined && !opens(next)) last?.classes?.push("apart-after");
}

/** It ends with the sign of application, or is one of these with scripts. */
function isFunction({ type, children = [] }: MathNode): boolean {
  if (type === undefined || type === "mrow") return textOf(children.at(-1)) === "\u2061";
  return SCRIPTED.test(type) && children[0] !== undefined && isFunction(children[0]);
}

function opens(node: MathNode): boolean {
  return node.type === "mrow"
    ? node.children?.[0] !== undefined && opens(node.children[0])
    : "([{|".includes(textOf(node) ?? "x");
}

function textOf(node: MathNode | undefined): string | undefined {
  return node?.type === "mo" || node?.type === "mi" ? node.children?.[0]?.text : undefined;
}
