import { everyTurn } from "./branches.ts";
import type { Turn } from "./turn.ts";

/** `m_x:3` is the third attempt of `m_x`. */
export function splitRetryId(id: string): [base: string, count: number] {
  const match = /^(.*):(\d+)$/.exec(id);
  return match === null ? [id, 1] : [match[1]!, Number(match[2])];
}

/** The id of the attempt after `id`. */
export function nextRetryId(id: string): string {
  const [base, count] = splitRetryId(id);
  return `${base}:${count + 1}`;
}

/** The turns without those that were tried again since, be it on a way that is not shown. */
export function lastAttempts(turns: readonly Turn[]): Turn[] {
  const attempts = new Map<string, number>();
  for (const { id } of everyTurn(turns)) {
    const [base, count] = splitRetryId(id);
    attempts.set(base, Math.max(count, attempts.get(base) ?? 0));
  }
  return turns.filter(({ id }) => {
    const [base, count] = splitRetryId(id);
    return attempts.get(base) === count;
  });
}

/** An id that nobody has used: 16 characters from `random` behind `prefix`. */
export function newRandomId(prefix: string, random: () => number): string {
  let id = prefix;
  for (let i = 0; i < 16; i++) {
    id += "0123456789abcdefghijklmnopqrstuvwxyz"[Math.floor(random() * 36)];
  }
  return id;
}
