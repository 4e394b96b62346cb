/** GFM's extended autolinks: bare web and mail addresses. */

import { type Inline, joinTexts } from "./inline.ts";

// A mail address begins where such characters begin: looked for at each of them, a long word would cost its square.
const AUTOLINK =
  /(?<![\p{L}\p{N}])(?:(?:https?|ftp):\/\/[^\s<]+|www\.[^\s<]+)|(?<![a-zA-Z0-9.+_-])[a-zA-Z0-9.+_-]+@[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_-]+)+/gu;

/** Makes links of the bare addresses in some nodes. */
export function autolink(nodes: readonly Inline[], insideLink = false): Inline[] {
  const result: Inline[] = [];
  let previous = "\n";
  for (const node of nodes) {
    if (node.type === "text" && !insideLink && node.text.length > 3) {
      result.push(...autolinkText(node.text, previous));
    } else if (
      (node.type === "emphasis" || node.type === "strong" || node.type === "deleted") && !insideLink
    ) {
      result.push({ ...node, children: autolink(node.children) });
    } else {
      result.push(node);
    }
    if (node.type === "mark") continue;
    previous = "text" in node
      ? node.text.slice(-1)
      : node.type === "newline" || node.type === "break"
      ? "\n"
      : ")";
  }
  return joinTexts(result);
}

function autolinkText(text: string, before: string): Inline[] {
  const nodes: Inline[] = [];
  let place = 0;
  AUTOLINK.lastIndex = 0;
  for (let match = AUTOLINK.exec(text); match !== null; match = AUTOLINK.exec(text)) {
    const mail = !/^(?:https?:|ftp:|www\.)/.test(match[0]);
    const lead = match.index === 0 ? before : text[match.index - 1]!;
    if (match[0].startsWith("www.") && !/[\s*_~(]/.test(lead)) continue;
    const link = mail ? trimMail(match[0]) : trimLink(match[0]);
    if (link === undefined) continue;
    if (match.index > place) nodes.push({ type: "text", text: text.slice(place, match.index) });
    const href = mail ? `mailto:${link}` : link.startsWith("www.") ? `http://${link}` : link;
    nodes.push({ type: "link", href, title: "", children: [{ type: "text", text: link }] });
    place = match.index + link.length;
    AUTOLINK.lastIndex = place;
  }
  if (place < text.length) nodes.push({ type: "text", text: text.slice(place) });
  return nodes;
}

function trimMail(link: string): string | undefined {
  const trimmed = link.replace(/\.+$/, "");
  return /[-_]$/.test(trimmed) ? undefined : trimmed;
}

function trimLink(link: string): string | undefined {
  let end = link.length;
  /** So many more parentheses close than open: they belong to the text around. */
  let closing = count(link, ")") - count(link, "(");
  for (;;) {
    const last = link.charAt(end - 1);
    if (/[?!.,:*_~'"]/.test(last)) {
      end--;
    } else if (last === ")" && closing > 0) {
      end--;
      closing--;
    } else {
      const entity = link.lastIndexOf("&", end - 1);
      if (entity === -1 || !/^&[a-zA-Z0-9]+;$/.test(link.slice(entity, end))) break;
      end = entity;
    }
  }
  const host = /^(?:[a-z]+:\/\/)?([^/?#:]+)/i.exec(link.slice(0, end))?.[1] ?? "";
  const parts = host.split(".");
  if (!link.startsWith("www.") || parts.length < 2) {
    if (parts.length < 2) return undefined;
  }
  if (parts.slice(-2).some((part) => part.includes("_"))) return undefined;
  return link.slice(0, end);
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}
