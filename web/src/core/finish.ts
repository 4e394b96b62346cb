/** The one end of an answer, and whether its text has the gateway's checksum. */

import type { CompleteEvent } from "./protocol.ts";
import { sha256Hex } from "./sha256.ts";
import type { Answer, Integrity, Turn } from "./turn.ts";

export function finish(turn: Turn, answer: Answer, event: CompleteEvent): void {
  answer.status = event.status;
  answer.complete = event;
  if (event.seams !== undefined) answer.seams ??= event.seams.map((index) => ({ index }));
  delete answer.activity;
  delete turn.stopping;
  answer.integrity = verify(answer, event.text_sha256);
}

function verify(answer: Answer, expected: string | undefined): Integrity {
  if (expected === undefined) return "unchecked";
  let text = "";
  for (const item of answer.items) {
    if (item.arrived !== undefined) text += item.arrived;
    else for (const part of item.parts) if (part.kind === "text" && !part.late) text += part.text;
  }
  if (sha256Hex(text) === expected.toLowerCase()) return "verified";
  return answer.from_snapshot === true ? "unchecked" : "mismatch";
}
