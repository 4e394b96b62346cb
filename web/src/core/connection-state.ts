/** What others see of the client: how the connection is, what changed, and what is worth a word. */

import type { ErrorFrame, Limits, ReadyFrame } from "./protocol.ts";

/**
 * The life of a connection.
 *
 *     idle ─▶ connecting ─▶ ready ──lost──▶ waiting ─▶ connecting
 *                  └──lost──▶ waiting │ offline │ closed
 *
 * `offline`: the machine says it has no network. `closed`: by us, or for a reason that trying again cannot mend.
 */
export type Phase = "idle" | "connecting" | "ready" | "waiting" | "offline" | "closed";

export interface Problem {
  readonly code: string;
  readonly message: string;
}

export interface ConnectionState {
  readonly phase: Phase;
  /** When the next attempt starts, on the environment's clock; only while `waiting`. */
  readonly retry_at?: number;
  /** Attempts since the last connection that worked. */
  readonly attempt: number;
  readonly problem?: Problem;
  /** The gateway is about to restart and asked to come back soon. */
  readonly draining?: boolean;
  readonly session?: string;
  readonly limits?: Limits;
  /** What messages may ask for, where the gateway tells. */
  readonly options?: ReadyFrame["options"];
}

export type Notice =
  /** The connection was lost and nothing else was. `events`: how many came late. */
  | { readonly type: "resumed"; readonly events: number }
  /** The gateway no longer has this session; what is shown stays, but it has to be told again. */
  | { readonly type: "session_lost"; readonly reason: string }
  /** Another page started this conversation anew. */
  | { readonly type: "superseded" }
  /** The store could not keep the session. */
  | { readonly type: "not_saved"; readonly message: string }
  | { readonly type: "error"; readonly error: ErrorFrame };

export type Change =
  | { readonly type: "connection" }
  /** Turns were added, removed or moved. */
  | { readonly type: "turns" }
  /** One turn changed. */
  | { readonly type: "turn"; readonly id: string }
  /** The store has a session that it did not have: other pages of the conversation may join it now (`reload`). */
  | { readonly type: "stored"; readonly session: string }
  /** Another page has removed the conversation from the store: the client has ended. */
  | { readonly type: "removed" }
  | { readonly type: "notice"; readonly notice: Notice };
