/** A turn of a file that anybody may have written: taken over where it is such as this page makes them. */

import type { Turn } from "./turn.ts";

/** The turn as one that never goes on; throws where the value is none. */
export function importedTurn(value: unknown, now: number): Turn {
  checkTurn(value);
  return settled(structuredClone(value), now);
}

function need(isSo: boolean): asserts isSo {
  if (!isSo) throw new TypeError("not an exported conversation");
}

function object(value: unknown): Record<string, unknown> {
  need(typeof value === "object" && value !== null && !Array.isArray(value));
  return value as Record<string, unknown>;
}

function list(value: unknown): unknown[] {
  need(Array.isArray(value));
  return value;
}

function withStrings(value: unknown, ...names: readonly string[]): Record<string, unknown> {
  const fields = object(value);
  for (const name of names) need(typeof fields[name] === "string");
  return fields;
}

function checkTurn(value: unknown): asserts value is Turn {
  const { input = "", options = {}, created = 0, answer, alternatives = [] } = withStrings(
    value,
    "id",
  );
  if (typeof input !== "string") list(input).forEach(object);
  object(options);
  need(typeof created === "number");
  if (answer !== undefined) checkAnswer(answer);
  for (const way of list(alternatives)) {
    need(list(way).length > 0);
    list(way).forEach(checkTurn);
  }
}

function checkAnswer(value: unknown): void {
  const { items, seams = [], complete = {} } = withStrings(value, "id", "status");
  list(seams).forEach(object);
  object(complete);
  for (const item of list(items)) {
    const { index, parts, tool, annotations = [] } = object(item);
    need(Number.isSafeInteger(index));
    list(parts).forEach((part) => withStrings(part, "kind", "text"));
    list(annotations).forEach(object);
    if (tool !== undefined) withStrings(tool, "kind", "status", "arguments");
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
  answer.integrity ??= "unchecked";
  delete answer.activity;
  if (answer.status === "queued" || answer.status === "in_progress") answer.status = "interrupted";
  return turn;
}
