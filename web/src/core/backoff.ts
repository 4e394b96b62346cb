/** How long to wait before the next attempt to connect. Pure: the random number is an argument. */

export interface BackoffPolicy {
  /** The first retry after a connection that had worked: soon, but not all clients at once. */
  readonly first_ms: number;
  readonly base_ms: number;
  readonly maximum_ms: number;
}

export const defaultBackoff: BackoffPolicy = { first_ms: 250, base_ms: 500, maximum_ms: 30_000 };

/**
 * The delay before attempt number `attempt` (0: the first after a connection that worked).
 *
 * `hint_ms` is the server's own wish: it is never undercut, and spread a little so that clients do not return together.
 */
export function backoffDelay_ms(
  policy: BackoffPolicy,
  attempt: number,
  random: number,
  hint_ms?: number,
): number {
  if (hint_ms !== undefined) return Math.round(hint_ms + random * Math.min(1_000, hint_ms / 4));
  if (attempt <= 0) return Math.round(random * policy.first_ms);
  const ceiling = Math.min(policy.maximum_ms, policy.base_ms * 2 ** (attempt - 1));
  return Math.round(ceiling / 2 + random * (ceiling / 2));
}
