/** Markdown that is still being written. No DOM, no framework. */
export * from "./block.ts";
export { MarkdownStream } from "./blocks.ts";
export * from "./highlight.ts";
export { type Inline, parseInline, plainText, safeHref } from "./inline.ts";
export { headingText, InlineStream } from "./inline-stream.ts";
