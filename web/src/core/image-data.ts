/** A picture that came as base64: what it is, by its first bytes, and its data URL. Nothing, when it is none. */
export function imageData(
  base64: unknown,
): { readonly mediaType: string; readonly url: string } | undefined {
  if (typeof base64 !== "string" || !/^[A-Za-z0-9+/=]+$/.test(base64.slice(0, 200))) {
    return undefined;
  }
  const format = base64.startsWith("/9j/") ? "jpeg" : base64.startsWith("UklGR") ? "webp" : "png";
  const mediaType = `image/${format}`;
  return { mediaType, url: `data:${mediaType};base64,${base64}` };
}
