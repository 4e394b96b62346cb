/** Markdown that is still being written. No DOM, no framework. */
export * from "./block.ts";
export { MarkdownStream } from "./markdown-stream.ts";
export * from "./highlight.ts";
export { type Inline, plainText } from "./inline.ts";
export { parseInline } from "./inline-parser.ts";
export { safeHref } from "./safe-href.ts";
export { headingText, InlineStream } from "./inline-stream.ts";
