/** Link destinations, titles, labels and definitions. */

import { unescapeText } from "./entities.ts";

export interface Definition {
  readonly href: string;
  readonly title: string;
}
export type Definitions = Map<string, Definition>;

/** Longer labels are none. CommonMark allows 999 characters. */
const MAXIMUM_LABEL_CHARACTERS = 999;

/** `[label]` at the beginning of `text`: the label without its brackets. */
export function takeLabel(text: string): string | undefined {
  if (text[0] !== "[") return undefined;
  for (let place = 1; place < text.length && place <= MAXIMUM_LABEL_CHARACTERS + 1; place++) {
    const character = text[place];
    if (character === "\\") place++;
    else if (character === "[") return undefined;
    else if (character === "]") return text.slice(1, place);
  }
  return undefined;
}

export function normalizeLabel(label: string): string {
  return label.trim().replace(/[ \t\r\n]+/g, " ").toLowerCase().toUpperCase();
}

/** A link destination at the beginning of `text`. */
export function takeDestination(
  text: string,
): { readonly length: number; readonly href: string } | undefined {
  const pointed = /^<(?:[^<>\n\\]|\\.)*>/.exec(text);
  if (pointed !== null) {
    return { length: pointed[0].length, href: unescapeText(pointed[0].slice(1, -1)) };
  }
  if (text[0] === "<") return undefined;
  let depth = 0, place = 0;
  for (; place < text.length; place++) {
    const character = text[place]!;
    if (character === "\\" && /[!-/:-@[-`{-~]/.test(text[place + 1] ?? "")) {
      place++;
    } else if (character === "(") {
      if (++depth > 32) return undefined;
    } else if (character === ")") {
      if (depth === 0) break;
      depth--;
    } else if (character <= " " || character === "\x7f") {
      break;
    }
  }
  if (depth !== 0) return undefined;
  return { length: place, href: unescapeText(text.slice(0, place)) };
}

/** A link title at the beginning of `text`. */
export function takeTitle(
  text: string,
): { readonly length: number; readonly title: string } | undefined {
  const match = /^(?:"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'|\((?:[^()\\]|\\[^])*\))/.exec(text);
  if (match === null || /\n[ \t]*\n/.test(match[0])) return undefined;
  return { length: match[0].length, title: unescapeText(match[0].slice(1, -1)) };
}

/** A link definition at the beginning of a paragraph's text. */
export function takeDefinition(
  text: string,
):
  | {
    readonly length: number;
    readonly label: string;
    readonly href: string;
    readonly title: string;
  }
  | undefined {
  const label = takeLabel(text);
  if (label === undefined || label.trim() === "") return undefined;
  let place = label.length + 2;
  if (text[place] !== ":") return undefined;
  place += 1 + spaceAt(text, place + 1);
  const destination = takeDestination(text.slice(place));
  if (destination === undefined || destination.length === 0) return undefined;
  place += destination.length;
  const beforeTitle = place;
  const space = spaceAt(text, place);
  const title = space > 0 ? takeTitle(text.slice(place + space)) : undefined;
  if (title !== undefined) {
    const end = restOfLine(text, place + space + title.length);
    if (end !== undefined) {
      return { length: end, label, href: destination.href, title: title.title };
    }
  }
  const end = restOfLine(text, beforeTitle);
  return end === undefined ? undefined : { length: end, label, href: destination.href, title: "" };
}

/** Length of the white space at `place`, with at most one line ending. */
function spaceAt(text: string, place: number): number {
  return /^[ \t]*(?:\n[ \t]*)?/.exec(text.slice(place))![0].length;
}

/** The end of a line on which nothing more stands. */
function restOfLine(text: string, place: number): number | undefined {
  const match = /^[ \t]*(?:\n|$)/.exec(text.slice(place));
  return match === null ? undefined : place + match[0].length;
}
