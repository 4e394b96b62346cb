import { Alarm } from "./alarm.ts";
import type { Environment } from "./environment.ts";
import { historyItems } from "./history.ts";
import { lastAttempts } from "./message-id.ts";
import type { ClientFrame, ErrorFrame, MessageInput } from "./protocol.ts";
import { utf8 } from "./sha256.ts";
import type { Transcript } from "./transcript.ts";
import { isRunning, isSettled, type Turn } from "./turn.ts";

export interface OutboxHost {
  readonly environment: Environment;
  readonly transcript: Transcript;
  /** Wait with a message until the answer before it has ended: it continues that answer. */
  readonly sequential: boolean;
  /** The gateway has answered and the replay has reached the end of the log. */
  maySend(): boolean;
  /** Counts connections: what an earlier one took may be lost. */
  life(): number;
  /** The most bytes of a frame, where the gateway tells. */
  limit_bytes(): number | undefined;
  /** Number of leading turns that the gateway's session has not been told. */
  unknownTurns(): number;
  write(frame: ClientFrame | string): void;
  changed(turn: Turn): void;
  /** It was sent, or counted as sent, and is not any more: whoever hears of it may take it back at once. */
  returned(turn: Turn): void;
  /** There may be something to say: `flush`. */
  due(): void;
}

/** What is to be stored after a flush: that messages were sent, or that others are sent once that is stored. */
export interface Flushed {
  readonly hasSent: boolean;
  readonly hasClaimed: boolean;
}

const MAXIMUM_REFUSALS = 6;

/** What is still to be said to the gateway: cancels, and messages in their order, each until it is confirmed. */
export class Outbox {
  readonly #host: OutboxHost;
  readonly #requeueAlarm: Alarm;
  readonly #cancels = new Set<string>();
  /** On which connection each unconfirmed message, and each cancel, was written last. */
  readonly #sentOn = new Map<string, number>();
  readonly #cancelledOn = new Map<string, number>();

  constructor(host: OutboxHost) {
    this.#host = host;
    this.#requeueAlarm = new Alarm(host.environment);
  }

  close(): void {
    this.#requeueAlarm.clear();
  }

  // MARK: cancelling

  /** Ends one turn: withdraws what was not sent, cancels what was. */
  stop(turn: Turn): void {
    if (turn.delivery === "queued") turn.delivery = "withdrawn";
    else this.resumeCancel(turn);
    this.#host.changed(turn);
  }

  resumeCancel(turn: Turn): void {
    turn.stopping = true;
    this.#cancels.add(turn.id);
  }

  ended(turn: Turn): void {
    this.#cancels.delete(turn.id);
  }

  /** The session that the cancels meant is gone. */
  forgetCancels(): void {
    this.#cancels.clear();
  }

  // MARK: sending

  /**
   * Says everything that may be said now: cancels first, then messages in order.
   *
   * What has waited may be taken back by another page. So it is claimed: it counts as sent, and is written once the
   * store has that. Nobody but this page has `fresh` yet, so that it goes at once.
   */
  flush(fresh?: Turn): Flushed {
    let hasSent = false, hasClaimed = false;
    if (!this.#host.maySend()) return { hasSent, hasClaimed };
    this.#writeCancels();
    for (const turn of [...this.#host.transcript.turns]) {
      if (turn.delivery !== "queued" && turn.delivery !== "sent") continue;
      if (this.#requeueAlarm.isSet) break;
      if (this.#host.sequential && this.#someoneElseIsBusy(turn)) break;
      if (turn.delivery === "sent" && this.#sentOn.get(turn.id) === this.#host.life()) continue;
      if (turn.delivery === "queued" && turn !== fresh) {
        turn.delivery = "sent";
        this.#sentOn.delete(turn.id);
        hasClaimed = true;
        this.#host.changed(turn);
        continue;
      }
      this.#send(turn);
      hasSent ||= turn.delivery === "sent";
      if (!this.#host.maySend()) break;
    }
    return { hasSent, hasClaimed };
  }

  #writeCancels(): void {
    const life = this.#host.life();
    for (const id of [...this.#cancels]) {
      const turn = this.#host.transcript.turn(id);
      if (turn === undefined || isSettled(turn)) {
        this.#cancels.delete(id);
      } else if (this.#cancelledOn.get(id) !== life) {
        // Once is enough for this connection; the next one asks again while the response still runs.
        this.#cancelledOn.set(id, life);
        this.#host.write({ type: "cancel", message: id });
      }
    }
  }

  #someoneElseIsBusy(turn: Turn): boolean {
    return this.#host.transcript.turns.some((each) =>
      each !== turn && (isRunning(each) || each.delivery === "sent" ||
        (each.delivery === "accepted" && each.answer === undefined))
    );
  }

  #send(turn: Turn): void {
    const input = this.#wireInput(turn);
    if (input === undefined) {
      return this.refuse(turn, "input_lost", "The text of this message is not here any more.");
    }
    const frame: ClientFrame = {
      type: "message",
      id: turn.id,
      input,
      ...(turn.options === undefined ? {} : { options: turn.options }),
    };
    const text = JSON.stringify(frame);
    const limit = this.#host.limit_bytes();
    if (limit !== undefined && text.length * 3 > limit && utf8(text).length > limit) {
      return this.refuse(turn, "message_too_big", `The message exceeds ${limit} bytes.`);
    }
    turn.delivery = "sent";
    delete turn.problem;
    this.#sentOn.set(turn.id, this.#host.life());
    this.#host.write(text);
    this.#host.changed(turn);
  }

  /** A fresh session is told the turns before; sent again, the message must read the same. */
  #wireInput(turn: Turn): MessageInput | undefined {
    const unknown = this.#host.unknownTurns();
    if (turn.input === undefined || unknown === 0) return turn.input;
    const { turns } = this.#host.transcript;
    const before = turns.slice(0, Math.min(turns.indexOf(turn), unknown));
    const history = historyItems(lastAttempts(turns).filter((each) => before.includes(each)));
    if (history.length === 0) return turn.input;
    return [
      ...history,
      ...(typeof turn.input === "string" ? [{ role: "user", content: turn.input }] : turn.input),
    ];
  }

  // MARK: refusals

  /** An `error` that names a message: tried again later where that may help, else refused. */
  onError(turn: Turn, frame: ErrorFrame): void {
    const { refusals = 0 } = turn;
    if (frame.retryable !== true || refusals >= MAXIMUM_REFUSALS || turn.stopping) {
      return this.refuse(turn, frame.code, frame.message, frame.retryable ?? false);
    }
    turn.delivery = "queued";
    turn.refusals = refusals + 1;
    turn.problem = { code: frame.code, message: frame.message, retryable: true };
    if (!this.#requeueAlarm.isSet) {
      this.#requeueAlarm.set(frame.retry_after_ms ?? 500 * 2 ** refusals, () => this.#host.due());
    }
    this.#host.returned(turn);
  }

  /** The connection was closed for a message's size: the next one must not send it again. */
  tooBig(): void {
    const cause = this.#host.transcript.turns.find((turn) => turn.delivery === "sent");
    if (cause === undefined) return;
    this.refuse(cause, "message_too_big", "The message is larger than the gateway accepts.");
  }

  refuse(turn: Turn, code: string, message: string, retryable = false): void {
    turn.delivery = "refused";
    turn.problem = { code, message, retryable };
    delete turn.stopping;
    this.#cancels.delete(turn.id);
    this.#host.returned(turn);
  }
}
