/** What pages that share a store have kept of one conversation, put together. */

import { everyTurn } from "./branches.ts";
import type { StoredSession } from "./store.ts";
import { type Delivery, interrupt, type Turn } from "./turn.ts";

/** So many discarded messages are remembered. */
export const MAXIMUM_DISCARDED = 100;

const PROGRESS: Record<Delivery, number> = {
  queued: 0,
  sent: 1,
  unconfirmed: 2,
  refused: 2,
  withdrawn: 2,
  accepted: 3,
};

/** How far a message has come; with an answer it is furthest. */
function progress({ answer, delivery, problem }: Turn): number {
  if (answer !== undefined) return PROGRESS.accepted + 1;
  // What waits with a problem was sent and not taken.
  return delivery === "queued" && problem !== undefined ? PROGRESS.sent : PROGRESS[delivery];
}

/** Nobody has it yet but the pages. */
function isUnsent({ delivery }: Turn): boolean {
  return delivery === "queued" || delivery === "sent";
}

/** What says which log a position means. */
export type Life = Pick<StoredSession, "generation" | "session" | "epoch">;

export function isSameLife(one: Life, other: Life): boolean {
  return one.generation === other.generation && one.session === other.session &&
    one.epoch === other.epoch;
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
 * discarded stays away, unless it was asked all the same.
 */
export function mergeSessions(
  kept: StoredSession | undefined,
  record: StoredSession,
): StoredSession {
  if (kept === undefined) return record;
  const [base, other] = givesWay(record, kept) ? [kept, record] : [record, kept];
  const discarded = new Set([...other.discarded ?? [], ...base.discarded ?? []]);
  const isLeft = (turn: Turn) => !discarded.has(turn.id) || progress(turn) >= PROGRESS.accepted;
  const others = (isSameLife(kept, record) ? other.turns : interrupted(other.turns)).filter(isLeft);
  const further = new Map([...everyTurn(others)].map((turn) => [turn.id, turn]));
  const turns = base.turns.filter(isLeft).map((turn) => {
    const same = further.get(turn.id);
    return same !== undefined && progress(same) > progress(turn) ? movedOn(turn, same) : turn;
  });
  const unknown_turns = base.unknown_turns + add(others, turns, base);
  const isWhole = discarded.size === (base.discarded?.length ?? 0) &&
    turns.length === base.turns.length &&
    turns.every((turn, place) => turn === base.turns[place]);
  if (isWhole) return base;
  return { ...base, turns, unknown_turns, discarded: [...discarded].slice(-MAXIMUM_DISCARDED) };
}

/** As `other` has it, with the ways that part here. */
function movedOn({ alternatives, version }: Turn, other: Turn): Turn {
  if (alternatives === undefined) return other;
  return { ...other, alternatives, ...(version === undefined ? {} : { version }) };
}

/**
 * Adds those of `others` that the turns do not hold: behind the one that they followed, or with what else waits.
 *
 * Answers how many of them the base's session has to be told of.
 */
function add(others: readonly Turn[], turns: Turn[], base: StoredSession): number {
  const holders = new Map<string, Turn>();
  for (const turn of turns) for (const { id } of everyTurn([turn])) holders.set(id, turn);
  const isTold = base.seq > 0 || turns.some(({ delivery }) => delivery === "sent");
  let untold = 0;
  let before: Turn | undefined;
  for (const turn of others) {
    const holder = holders.get(turn.id);
    if (holder === undefined && isUnsent(turn)) {
      const later = turns.findIndex((each) => isUnsent(each) && each.created > turn.created);
      turns.splice(later === -1 ? turns.length : later, 0, turn);
    } else if (holder === undefined) {
      const place = before === undefined ? 0 : turns.indexOf(before) + 1;
      turns.splice(place, 0, turn);
      if (!isTold && place <= base.unknown_turns + untold) untold++;
    }
    before = holder ?? turn;
  }
  return untold;
}

/** The turns as they are once their session is gone. */
function interrupted(turns: readonly Turn[]): Turn[] {
  const copies = structuredClone(turns) as Turn[];
  copies.forEach(interrupt);
  return copies;
}
