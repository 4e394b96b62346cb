import type { Resume } from "./link.ts";
import type { ReadyFrame } from "./protocol.ts";
import type { StoredSession } from "./stored-session.ts";
import { isSettled } from "./turn.ts";

/**
 * The gateway's session that a conversation goes on in, and the place in its log.
 *
 * With the turns it makes one record, and moves only with them: forward by the next event, or to where a snapshot leads.
 */
export class SessionPlace {
  /** Counts removals; not known before the store has answered. */
  removals: number | undefined;
  /** Counts fresh starts. */
  generation = 0;
  /** Number of leading turns that the session has not been told. */
  unknownTurns = 0;
  #session: string | undefined;
  #epoch: string | undefined;
  #token: string | undefined;
  #seq = 0;

  get session(): string | undefined {
    return this.#session;
  }

  get epoch(): string | undefined {
    return this.#epoch;
  }

  /** The last event that was processed. */
  get seq(): number {
    return this.#seq;
  }

  /** Where a new connection goes on. */
  get resume(): Resume | undefined {
    return this.#token === undefined ? undefined : { token: this.#token, after: this.#seq };
  }

  // MARK: the session

  /** Takes over what was stored; without a token its turns belong to no session. */
  adopt(record: StoredSession | undefined): void {
    this.removals = record?.removals ?? 0;
    this.generation = record?.generation ?? 0;
    this.#session = record?.session;
    this.#epoch = record?.epoch;
    this.#token = record?.token;
    const known = this.#token !== undefined;
    this.#seq = known ? record!.seq : 0;
    this.unknownTurns = known ? record!.unknown_turns : record?.turns.filter(isSettled).length ?? 0;
  }

  /** Starts afresh: the next session will have to be told `unknownTurns` turns. */
  leave(unknownTurns: number): void {
    this.generation += 1;
    this.unknownTurns = unknownTurns;
    this.#session = this.#epoch = this.#token = undefined;
    this.#seq = 0;
  }

  /** Whether a connection that asked to go on from `asked` does so. */
  isContinued(frame: ReadyFrame, asked: Resume): boolean {
    const sameLife = this.#epoch === undefined || this.#epoch === frame.epoch;
    return frame.recovered && sameLife && frame.seq >= asked.after;
  }

  enter(frame: ReadyFrame): void {
    this.#session = frame.session;
    this.#epoch = frame.epoch;
    this.#token = frame.resume_token;
  }

  /** A fresh proof, before the old one expires. */
  renew(token: string): void {
    this.#token = token;
  }

  // MARK: the place

  /** Moves over one event; says so when it is not the next one, and stays. */
  advance({ seq, from = seq }: { readonly seq: number; readonly from?: number }): boolean {
    if (from !== this.#seq + 1) return false;
    this.#seq = seq;
    return true;
  }

  /** Moves to where a snapshot leads; never back. */
  jump(through: number): boolean {
    if (through < this.#seq) return false;
    this.#seq = through;
    return true;
  }

  /** Back to the beginning of the log, which is read anew. */
  rewind(): void {
    this.#seq = 0;
  }

  /** Its part of the record. */
  stored(): Omit<StoredSession, "version" | "turns" | "saved"> {
    return {
      generation: this.generation,
      seq: this.#seq,
      unknown_turns: this.unknownTurns,
      ...(this.removals ? { removals: this.removals } : {}),
      ...(this.#session === undefined ? {} : { session: this.#session }),
      ...(this.#epoch === undefined ? {} : { epoch: this.#epoch }),
      ...(this.#token === undefined ? {} : { token: this.#token }),
    };
  }
}
