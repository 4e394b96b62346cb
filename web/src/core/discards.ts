/** Messages that were taken out of a conversation, so that a page that still has them leaves them out too. */

import type { Turn } from "./turn.ts";

/** A message that was taken out, and when: one of the same id that is asked later is another attempt. */
export interface Discard {
  readonly id: string;
  /** Milliseconds since 1970, by the clock that `Turn.created` is read from. */
  readonly at: number;
}

/** So many are remembered. */
const MAXIMUM_DISCARDS = 100;

/** What two pages have taken out, each message once, and when that was last. */
export function joinDiscards(
  ones: readonly Discard[] = [],
  others: readonly Discard[] = [],
): readonly Discard[] {
  const last = new Map<string, number>();
  for (const { id, at } of [...ones, ...others]) last.set(id, Math.max(at, last.get(id) ?? at));
  return Array.from(last, ([id, at]) => ({ id, at })).slice(-MAXIMUM_DISCARDS);
}

/** Whether every one of `discards` is among `others`, no later. */
export function areDiscardsIn(
  discards: readonly Discard[],
  others: readonly Discard[] = [],
): boolean {
  return discards.every(({ id, at }) => others.some((other) => other.id === id && other.at >= at));
}

export function isDiscarded(turn: Turn, discards: readonly Discard[] = []): boolean {
  return areDiscardsIn([{ id: turn.id, at: turn.created }], discards);
}
