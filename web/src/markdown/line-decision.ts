import type { Block } from "./block.ts";

/** What a line stands in: the deepest open block, the document, and whether there are formulas. */
interface Context {
  readonly tip: Block;
  readonly root: Block;
  readonly math: boolean;
}

/** Containers inside containers, deeper than this, are text. */
export const MAXIMUM_NESTING = 100;

/**
 * Whether nothing that may follow on this line changes what kind of block it belongs to.
 *
 * Until then its beginning is held back, so that nothing that was shown is taken back.
 */
export function isLineDecided(line: string, context: Context): boolean {
  return isBeginningDecided(line, true, context);
}

function isBeginningDecided(line: string, first: boolean, context: Context, depth = 0): boolean {
  const { tip, root, math } = context;
  if (depth > MAXIMUM_NESTING) return true;
  if (first && tip.type === "code" && tip.fence !== undefined) {
    const { mark } = tip.fence;
    const bare = line.replace(/^[\s>]*/, "");
    if (bare === "" || new RegExp(`^\\${mark}*\\s*$`).test(bare)) return false;
    // Inside a list or quote the line may also end the code, by not belonging to what is around it.
    if (tip.parent === root) return true;
  }
  if (first && tip.type === "math") return false;
  const text = line.trimStart();
  if (text === "") return false;
  switch (text[0]) {
    case ">":
      return isBeginningDecided(text.slice(1), false, context, depth + 1);
    case "#":
      return !/^#{1,6}[ \t]*$/.test(text);
    case "`":
    case "~":
      return !/^(`{1,2}$|~{1,2}$|```|~~~)/.test(text);
    case "|":
      return tip.type === "row" || tip.type === "table";
    case "-":
    case "+":
    case "*":
    case "_":
    case "=":
    case ":":
      if (/^[-:|\s]+$/.test(text) || /^([*_=+])(\s*\1)*\s*$/.test(text)) return false;
      if (/^[-+*][ \t]/.test(text)) return isItemDecided(text.slice(2), context, depth + 1);
      return true;
    case "[":
      // Perhaps a link definition, which is not shown; or a task's box.
      return !/^\[([^\]\\]|\\.)*(\\|\](:.*)?)?$/.test(text);
    case "$":
      return !math || (text.length > 1 && text[1] !== "$");
    case "\\":
      return text.length > 1 && (!math || text[1] !== "[");
    default: {
      if (!/^\d/.test(text)) return true;
      const marker = /^\d{1,9}[.)][ \t]/.exec(text);
      if (marker !== null) return isItemDecided(text.slice(marker[0].length), context, depth + 1);
      return !/^\d{1,9}[.)]?$/.test(text);
    }
  }
}

function isItemDecided(rest: string, context: Context, depth: number): boolean {
  if (/^\s*\[[ xX]?\]?$/.test(rest)) return false;
  return /^\s*\[[ xX]\]\s/.test(rest)
    ? /\S$/.test(rest) && /\]\s+\S/.test(rest)
    : isBeginningDecided(rest, false, context, depth);
}
