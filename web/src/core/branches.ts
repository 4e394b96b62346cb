/**
 * The ways a conversation went: what is shown is one of them, the others hang on the turn where they part.
 *
 * Pure: the turns go in, the turns to show come out.
 */

import type { MessageInput, MessageOptions } from "./protocol.ts";
import type { Turn } from "./turn.ts";

export interface Branching {
  readonly turns: Turn[];
  /** The turn that goes on differently. */
  readonly turn: Turn;
  /** Its place: the turns before it are the ones to be told. */
  readonly place: number;
}

/**
 * Goes on differently from `message`: with another wording, or only with another answer.
 *
 * What waits behind it goes on waiting.
 */
export function branchFrom(
  turns: readonly Turn[],
  message: string,
  fresh: { readonly id: string; readonly created: number },
  input?: MessageInput,
  options?: MessageOptions,
): Branching | undefined {
  const place = turns.findIndex((turn) => turn.id === message);
  const old = turns[place];
  const said = input ?? old?.input;
  if (old === undefined || said === undefined) return undefined;
  const after = turns.slice(place + 1);
  const { alternatives = [], version = alternatives.length, ...rest } = old;
  const turn: Turn = {
    ...fresh,
    input: said,
    delivery: "queued",
    version: alternatives.length + 1,
    alternatives: [
      ...alternatives.slice(0, version),
      [rest, ...after.filter((each) => !waits(each))],
      ...alternatives.slice(version),
    ],
  };
  const chosen = options ?? old.options;
  if (chosen !== undefined) turn.options = chosen;
  return { turns: [...turns.slice(0, place), turn, ...after.filter(waits)], turn, place };
}

const waits = ({ delivery }: Turn) => delivery === "queued";

/**
 * The turns without one of them, or with another one `instead`, before what waits.
 *
 * The ways that part at it part at the one that follows from then on; where none does, the way before it is shown.
 */
export function withoutTurn(turns: readonly Turn[], message: string, instead?: Turn): Turn[] {
  const place = turns.findIndex((turn) => turn.id === message);
  const { alternatives = [], version = alternatives.length } = turns[place]!;
  const after = turns.slice(place + 1), waiting = after.filter(waits);
  const left = after.filter((turn) => !waits(turn));
  if (instead !== undefined) left.push(instead);
  const next = left[0];
  if (next !== undefined && alternatives.length > 0) {
    const { alternatives: own = [], version: ownVersion = own.length } = next;
    const ways = [...alternatives.slice(0, version), ...own, ...alternatives.slice(version)];
    left[0] = { ...next, alternatives: ways, version: version + ownVersion };
  } else if (alternatives.length > 0) {
    const shown = Math.max(0, version - 1);
    const [head, ...tail] = alternatives[shown] ?? [];
    const others = alternatives.filter((_, each) => each !== shown);
    if (head !== undefined) {
      left.push(others.length === 0 ? head : { ...head, alternatives: others, version: shown });
    }
    left.push(...tail);
  }
  return [...turns.slice(0, place), ...left, ...waiting];
}

/** The turns with another of the ways shown that part at `message`; nothing when that is the one shown. */
export function switchBranch(
  turns: readonly Turn[],
  message: string,
  version: number,
): Turn[] | undefined {
  const place = turns.findIndex((turn) => turn.id === message);
  const shown = turns[place];
  const alternatives = shown?.alternatives;
  if (shown === undefined || alternatives === undefined) return undefined;
  const current = shown.version ?? alternatives.length;
  const chosen = alternatives[version > current ? version - 1 : version];
  if (version === current || chosen?.[0] === undefined) return undefined;
  const { alternatives: _, version: __, ...rest } = shown;
  const others = alternatives.filter((tail) => tail !== chosen);
  others.splice(version > current ? current : current - 1, 0, [rest, ...turns.slice(place + 1)]);
  const head: Turn = { ...chosen[0], alternatives: others, version };
  return [...turns.slice(0, place), head, ...chosen.slice(1)];
}

/** The turns, and those of the ways that are not shown. */
export function* everyTurn(turns: readonly Turn[]): Generator<Turn> {
  for (const turn of turns) {
    yield turn;
    for (const tail of turn.alternatives ?? []) yield* everyTurn(tail);
  }
}
