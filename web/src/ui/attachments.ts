/** Files that go along with a message, as Responses API input parts. */

import type { MessageInput, UpstreamObject } from "../core/protocol.ts";

export interface Attachment {
  readonly id: number;
  readonly name: string;
  readonly bytes: number;
  readonly part: UpstreamObject;
  /** Data URL, for pictures. */
  readonly preview?: string;
}

/** Room that is left in a message for the rest of the frame: so much, and of a small one this part. */
const RESERVED_BYTES = 64 * 1024;
const RESERVED_PART = 1 / 8;
export const DEFAULT_MESSAGE_BYTES = 8 * 1024 * 1024;

/** Bytes that a file of `bytes` takes up in a message: base64 and a header. */
export function encodedBytes(bytes: number): number {
  return Math.ceil(bytes / 3) * 4 + 200;
}

/** Bytes that are left for a text, or for another file, beside those that are there. */
export function room_bytes(attached: readonly Attachment[], limit_bytes: number): number {
  return attached.reduce(
    (left, each) => left - encodedBytes(each.bytes),
    limit_bytes - Math.min(RESERVED_BYTES, limit_bytes * RESERVED_PART),
  );
}

/** Whether a text takes up at most so many bytes. */
export function fits(text: string, room_bytes: number): boolean {
  return text.length * 3 <= room_bytes || new Blob([text]).size <= room_bytes;
}

/** Those that were kept from before a reload have theirs already. */
let nextId = Date.now();

export async function readAttachment(
  file: File,
  onProgress: (part: number) => void,
): Promise<Attachment> {
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.onprogress = ({ loaded, total }) => onProgress(total === 0 ? 1 : loaded / total);
    reader.readAsDataURL(file);
  });
  const name = file.name || "image.png";
  if (/^image\/(png|jpeg|webp|gif)$/.test(file.type)) {
    return {
      id: nextId++,
      name,
      bytes: file.size,
      preview: url,
      part: { type: "input_image", image_url: url, detail: "auto" },
    };
  }
  return {
    id: nextId++,
    name,
    bytes: file.size,
    part: { type: "input_file", filename: name, file_data: url },
  };
}

/** The message's input: plain text where that is enough. */
export function messageInput(text: string, parts: readonly UpstreamObject[]): MessageInput {
  if (parts.length === 0) return text;
  const content: UpstreamObject[] = [...parts];
  if (text !== "") content.push({ type: "input_text", text });
  return [{ role: "user", content }];
}
