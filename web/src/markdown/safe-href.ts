/**
 * The address to link to, or nothing when its scheme could run or load something.
 *
 * An answer stands nowhere, so an address without a scheme would lead into the page's own server.
 */
export function safeHref(href: string): string | undefined {
  // deno-lint-ignore no-control-regex
  const bare = href.replace(/[\x00-\x20\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202f\ufeff]/g, "");
  return /^(?:https?|mailto|tel):/i.test(bare) ? href : undefined;
}
