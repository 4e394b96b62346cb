/** A turn of a file that anybody may have written: taken over where it is such as this page makes them. */

import type { Turn } from "./turn.ts";

/** The turn as one that never goes on; throws where the value is none. */
export function importedTurn(value: unknown, now: number): Turn {
  checkTurn(value);
  return settled(structuredClone(value), now);
}

/** What a value must be: of a type, a list of such, or an object with such fields, where `?` marks what may be missing. */
type Shape =
  | "string"
  | "number"
  | readonly [Shape]
  | { readonly [field: string]: Shape };

const ERROR: Shape = {
  "code?": "string",
  "message?": "string",
  "upstream_code?": "string",
  "request_id?": "string",
};

const COMPLETE: Shape = {
  "reason?": "string",
  "error?": ERROR,
  "usage?": {
    "input_tokens?": "number",
    "output_tokens?": "number",
    "input_tokens_details?": { "cached_tokens?": "number" },
    "output_tokens_details?": { "reasoning_tokens?": "number" },
  },
  "timing?": {
    "first_event_ms?": "number",
    "first_text_ms?": "number",
    "total_ms?": "number",
  },
};

const ITEM: Shape = {
  index: "number",
  parts: [{ kind: "string", "part?": "number", text: "string" }],
  "arrived?": "string",
  "tool?": {
    kind: "string",
    status: "string",
    arguments: "string",
    "call_id?": "string",
    "name?": "string",
  },
  "annotations?": [{}],
  "partial_image?": "string",
  "item?": {},
  "began?": "number",
  "ended?": "number",
};

/** All that the page reads of a turn without a look at what it is. An object in the place of a word would be drawn. */
const TURN: Shape = {
  id: "string",
  "input_bytes?": "number",
  "options?": {},
  "problem?": ERROR,
  "refusals?": "number",
  "created?": "number",
  "answer?": {
    id: "string",
    "model?": "string",
    status: "string",
    items: [ITEM],
    "seams?": [{ index: "number", "reason?": "string" }],
    "complete?": COMPLETE,
  },
  "alternatives?": [[{}]],
  "version?": "number",
};

function need(isSo: boolean): asserts isSo {
  if (!isSo) throw new TypeError("not an exported conversation");
}

function check(value: unknown, shape: Shape): void {
  const type: string = typeof value;
  if (typeof shape === "string") return need(type === shape);
  need(type === "object" && value !== null);
  need(Array.isArray(value) === Array.isArray(shape));
  if (Array.isArray(shape)) {
    for (const each of value as unknown[]) check(each, shape[0]);
    return;
  }
  for (const [field, inside] of Object.entries(shape)) {
    const name = field.replace("?", ""), found = (value as Record<string, unknown>)[name];
    // Upstream may say of what it has not that it is `null`.
    if (name === field || (found !== undefined && found !== null)) check(found, inside);
  }
}

function checkTurn(value: unknown): asserts value is Turn {
  check(value, TURN);
  const { input = "", alternatives = [], version = 0 } = value as Partial<Turn>;
  if (typeof input !== "string") check(input, [{}]);
  need(Number.isSafeInteger(version) && version >= 0 && version <= alternatives.length);
  for (const way of alternatives) {
    need(way.length > 0);
    way.forEach(checkTurn);
  }
}

/** What was running is taken as interrupted, and what waited as taken back. */
function settled(turn: Turn, now: number): Turn {
  const { answer } = turn;
  delete turn.stopping;
  turn.created ??= now;
  turn.alternatives?.flat().forEach((each) => settled(each, now));
  if (answer === undefined) {
    if (turn.delivery !== "refused") turn.delivery = "withdrawn";
    return turn;
  }
  turn.delivery = "accepted";
  // Only this page's own look at the gateway's checksum counts, and a file may have been changed since.
  if (answer.integrity !== "mismatch") answer.integrity = "unchecked";
  delete answer.activity;
  if (answer.status === "queued" || answer.status === "in_progress") answer.status = "interrupted";
  return turn;
}
