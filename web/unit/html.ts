/** Blocks as HTML in cmark-gfm's form, only to compare the two. The page itself never makes HTML. */

import { type Block, cellMarks, type Mark, splitRow } from "../src/markdown/block.ts";
import { MarkdownStream } from "../src/markdown/markdown-stream.ts";
import { headingText, InlineStream } from "../src/markdown/inline-stream.ts";
import type { Inline } from "../src/markdown/inline.ts";

export function renderHtml(
  text: string,
  pieces: readonly string[] = [text],
  marks: readonly Mark[] = [],
): string {
  const stream = new MarkdownStream({ math: false });
  for (const piece of pieces) stream.append(piece);
  stream.mark(marks);
  stream.finish();
  stream.publish();
  return blocksHtml(stream);
}

export function blocksHtml(stream: MarkdownStream): string {
  return stream.root.children.map((block) => blockHtml(stream, block)).join("");
}

function escape(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;");
}

function hrefHtml(href: string): string {
  const escaped = encodeURI(href.toWellFormed()).replace(/%25([0-9a-fA-F]{2})/g, "%$1")
    .replace(/%5B/g, "%5B").replace(/%5D/g, "%5D");
  return escape(escaped).replace(/'/g, "&#x27;");
}

function inlineHtml(nodes: readonly Inline[]): string {
  return nodes.map((node): string => {
    switch (node.type) {
      case "text":
        return escape(node.text);
      case "code":
        return `<code>${escape(node.text)}</code>`;
      case "math":
        return escape(node.text);
      case "mark":
        return `[${node.number}]`;
      case "break":
        return "<br />\n";
      case "newline":
        return "\n";
      case "emphasis":
        return `<em>${inlineHtml(node.children)}</em>`;
      case "strong":
        return `<strong>${inlineHtml(node.children)}</strong>`;
      case "deleted":
        return `<del>${inlineHtml(node.children)}</del>`;
      case "link":
        return `<a href="${hrefHtml(node.href)}"${title(node.title)}>${
          inlineHtml(node.children)
        }</a>`;
      case "image":
        return `<img src="${hrefHtml(node.href)}" alt="${escape(node.alt)}"${title(node.title)} />`;
    }
  }).join("");
}

function title(text: string): string {
  return text === "" ? "" : ` title="${escape(text)}"`;
}

function blockHtml(stream: MarkdownStream, block: Block, tight = false): string {
  const inline = (text: string, marks = block.textMarks) =>
    inlineHtml(new InlineStream().read(stream, block, text, false, marks)).replace(/\n$/, "");
  const behind = block.marks.map(({ number }) => `[${number}]`).join("");
  switch (block.type) {
    case "document":
      return "";
    case "paragraph": {
      const content = inline(block.text.replace(/[ \t\n]+$/, ""));
      return tight ? content + "\n" : `<p>${content}</p>\n`;
    }
    case "heading":
      return `<h${block.level}>${inline(headingText(block.text, false))}</h${block.level}>\n`;
    case "rule":
      return `<hr />\n${behind}`;
    case "code": {
      const language = block.language === "" ? "" : ` class="language-${escape(block.language)}"`;
      return `<pre><code${language}>${escape(block.text)}</code></pre>\n${behind}`;
    }
    case "math":
      return `<p>${escape(block.text)}</p>\n`;
    case "quote":
      return `<blockquote>\n${
        block.children.map((each) => blockHtml(stream, each)).join("")
      }</blockquote>\n`;
    case "list": {
      const name = block.list!.ordered ? "ol" : "ul";
      const start = block.list!.ordered && block.list!.start !== 1
        ? ` start="${block.list!.start}"`
        : "";
      return `<${name}${start}>\n${
        block.children.map((item) => {
          const box = item.checked === undefined
            ? ""
            : `<input ${item.checked ? 'checked="" ' : ""}disabled="" type="checkbox"> `;
          const content = item.children.map((each) => blockHtml(stream, each, !block.loose)).join(
            "",
          );
          const first = item.children[0]?.type;
          const leading = first !== undefined && (block.loose || first !== "paragraph") ? "\n" : "";
          const trimmed = !block.loose && item.children.at(-1)?.type === "paragraph"
            ? content.replace(/\n$/, "")
            : content;
          return `<li>${box === "" ? leading : leading + box}${trimmed}</li>\n`;
        }).join("")
      }</${name}>\n`;
    }
    case "item":
    case "row":
      return "";
    case "table": {
      const rows = block.children.map((row) => {
        const marks = row.textMarks;
        const name = row.header ? "th" : "td";
        const cells = splitRow(row.text);
        return `<tr>\n${
          block.align.map((align, column) => {
            const attribute = align === undefined ? "" : ` align="${align}"`;
            const cell = cells[column];
            const words = cell === undefined
              ? ""
              : inline(cell.text, cellMarks(row.text, cell, marks));
            return `<${name}${attribute}>${words}</${name}>\n`;
          }).join("")
        }</tr>\n`;
      });
      const body = rows.length > 1 ? `<tbody>\n${rows.slice(1).join("")}</tbody>\n` : "";
      return `<table>\n<thead>\n${rows[0] ?? ""}</thead>\n${body}</table>\n`;
    }
  }
}

/** So that white space between blocks does not count. */
export function normalize(html: string): string {
  return html.replace(/\n+/g, "\n").replace(/>\n</g, "><").replace(/<li>\n/g, "<li>")
    .replace(/\n<\/li>/g, "</li>").replace(/ \/>/g, ">").replace(/\n?<hr>/g, "<hr>").trim();
}
