/** What pages that share a store have kept of one conversation, put together. */

import { everyTurn, withoutTurn } from "./branches.ts";
import { areDiscardsIn, isDiscarded, joinDiscards } from "./discards.ts";
import type { StoredSession } from "./stored-session.ts";
import { type Delivery, interrupt, isSettled, type Turn } from "./turn.ts";

/** Between `sent` and what follows there is room for refusals. */
const PROGRESS: Record<Delivery, number> = {
  queued: 0,
  sent: 1,
  unconfirmed: 1_000,
  refused: 1_000,
  withdrawn: 1_000,
  accepted: 2_000,
};

/** How far a message has come; with an answer it is furthest. What the gateway refused for now starts anew, ahead. */
function progress(turn: Turn): number {
  if (turn.answer !== undefined) return PROGRESS.accepted + 1;
  return PROGRESS[turn.delivery] + (isUnsent(turn) ? 2 * (turn.refusals ?? 0) : 0);
}

/** Nobody has it yet but the pages. */
function isUnsent({ delivery }: Turn): boolean {
  return delivery === "queued" || delivery === "sent";
}

/** What says which log a position means. */
export type Life = Pick<StoredSession, "removals" | "generation" | "session" | "epoch">;

export function isSameLife(one: Life, other: Life): boolean {
  return !isRemoved(one, other) && !isRemoved(other, one) &&
    one.generation === other.generation && one.session === other.session &&
    one.epoch === other.epoch;
}

/** Whether `one` was removed from where `other` is kept. */
export function isRemoved({ removals = 0 }: Life, other: Life): boolean {
  return removals < (other.removals ?? 0);
}

/**
 * Whether `record` gives way to `kept`.
 *
 * The newer generation wins, and in one log the position that is further on; between two fresh starts of the same
 * generation the first to be kept wins, and the other page takes it over.
 */
function givesWay(record: StoredSession, kept: StoredSession): boolean {
  if (kept.generation !== record.generation) return kept.generation > record.generation;
  if (isSameLife(kept, record)) return kept.seq > record.seq;
  return kept.session !== undefined;
}

/**
 * What is to be kept where one page has `kept` and another one saves `record`; `record` itself where it has it all.
 *
 * One of the two is the base: its session, its position, its turns in their order. The other adds the turns that the
 * base does not hold, since nobody has read them in its log, and those that it has come further with. What was
 * discarded stays away, unless it was asked all the same, or later. Of what was removed nothing stays.
 */
export function mergeSessions(
  kept: StoredSession | undefined,
  record: StoredSession,
): StoredSession {
  if (kept === undefined || isRemoved(kept, record)) return record;
  if (isRemoved(record, kept)) return kept;
  const [base, other] = inOrder(kept, record);
  const discarded = joinDiscards(other.discarded, base.discarded);
  const isLeft = (turn: Turn) =>
    progress(turn) >= PROGRESS.accepted || !isDiscarded(turn, discarded);
  const others = only(isSameLife(kept, record) ? other.turns : interrupted(other.turns), isLeft);
  const further = new Map([...everyTurn(others)].map((turn) => [turn.id, turn]));
  const left = only(base.turns, isLeft);
  const turns = left.map((turn) => together(turn, further.get(turn.id)));
  const isTold = base.seq > 0 || turns.some(({ delivery }) => delivery === "sent");
  const again = isTold ? 0 : Math.max(0, left.length - base.turns.length);
  const unknown_turns = add(others, turns, base.unknown_turns + again, isTold);
  const isWhole = areDiscardsIn(discarded, base.discarded) &&
    turns.length === base.turns.length &&
    turns.every((turn, place) => turn === base.turns[place]);
  if (isWhole) return base;
  return {
    ...base,
    turns,
    unknown_turns,
    discarded,
  };
}

/** Those of the turns that are left, and what was said before another wording that is not. */
function only(turns: readonly Turn[], isLeft: (turn: Turn) => boolean): readonly Turn[] {
  const gone = turns.find((turn) => !isLeft(turn));
  return gone === undefined ? turns : only(withoutTurn(turns, gone.id), isLeft);
}

/**
 * The base, and the other one.
 *
 * A page keeps that it sends a message before it does. So what `kept` has as sent cannot be taken back any more: it is
 * to be stopped.
 */
function inOrder(kept: StoredSession, record: StoredSession): [StoredSession, StoredSession] {
  const isBase = !givesWay(record, kept);
  const withdrawn = new Set<string>();
  for (const { id, delivery } of record.turns) if (delivery === "withdrawn") withdrawn.add(id);
  const isLate = (turn: Turn) =>
    turn.delivery === "sent" && (withdrawn.has(turn.id) || isDiscarded(turn, record.discarded));
  // A page that has started afresh since knows of no session in which it was sent.
  if (kept.turns.some(isLate) && (!isBase || isSameLife(kept, record))) {
    const late = kept.turns.filter(isLate).map(({ id }) => id);
    const turns = kept.turns.map((turn) => isLate(turn) ? { ...turn, stopping: true } : turn);
    kept = { ...kept, turns };
    record = {
      ...record,
      turns: record.turns.filter(({ id }) => !late.includes(id)),
      discarded: record.discarded?.filter(({ id }) => !late.includes(id)) ?? [],
    };
  }
  return isBase ? [record, kept] : [kept, record];
}

/** One turn as whoever has come further with it has it; a stop that either asks for holds. */
function together(turn: Turn, same: Turn | undefined): Turn {
  if (same === undefined) return turn;
  const next = progress(same) > progress(turn) ? movedOn(turn, same) : turn;
  const isStopping = (turn.stopping ?? same.stopping) === true && !isSettled(next);
  return isStopping && next.stopping !== true ? { ...next, stopping: true } : next;
}

/** As `other` has it, with the ways that part here. */
function movedOn({ alternatives, version }: Turn, other: Turn): Turn {
  if (alternatives === undefined) return other;
  return { ...other, alternatives, ...(version === undefined ? {} : { version }) };
}

/**
 * Adds those of `others` that the turns do not hold: behind the one that they followed, or with what else waits.
 *
 * Of the turns the first `unknown` are not told to the base's session; answers how many that are then.
 */
function add(
  others: readonly Turn[],
  turns: Turn[],
  unknown: number,
  isTold: boolean,
): number {
  const holders = new Map<string, Turn>();
  for (const turn of turns) for (const { id } of everyTurn([turn])) holders.set(id, turn);
  let before: Turn | undefined;
  for (const turn of others) {
    const holder = holders.get(turn.id);
    if (holder === undefined && isUnsent(turn)) {
      const later = turns.findIndex((each) => isUnsent(each) && each.created > turn.created);
      turns.splice(later === -1 ? turns.length : later, 0, turn);
    } else if (holder === undefined) {
      const place = before === undefined ? 0 : turns.indexOf(before) + 1;
      turns.splice(place, 0, turn);
      if (!isTold && place <= unknown) unknown++;
    }
    before = holder ?? turn;
  }
  return unknown;
}

/** The turns as they are once their session is gone. */
function interrupted(turns: readonly Turn[]): Turn[] {
  const copies = structuredClone(turns) as Turn[];
  copies.forEach(interrupt);
  return copies;
}
