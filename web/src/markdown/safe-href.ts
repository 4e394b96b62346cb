/** The address to link to, or nothing when its scheme could run or load something. */
export function safeHref(href: string): string | undefined {
  // deno-lint-ignore no-control-regex
  const bare = href.replace(/[\x00-\x20\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202f\ufeff]/g, "");
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(bare)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    return bare.startsWith("//") || bare.startsWith("\\") ? undefined : href;
  }
  return scheme === "https" || scheme === "http" || scheme === "mailto" || scheme === "tel"
    ? href
    : undefined;
}
