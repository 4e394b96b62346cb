import { Alarm } from "./alarm.ts";
import type { Environment } from "./environment.ts";

export interface HeartbeatHost {
  readonly environment: Environment;
  /** While an answer runs: silence after which the connection is asked for a sign of life. */
  readonly busyQuiet_ms?: number | undefined;
  /** How long that sign of life may take, while an answer runs or the page has just woken. */
  readonly busyPong_ms?: number | undefined;
  /** Something is awaited, so silence is found out sooner. */
  isBusy(): boolean;
  ping(id: string): void;
  /** No sign of life came: the connection is dead, whatever the socket says. */
  died(): void;
}

const BUSY_QUIET_MS = 5_000;
const BUSY_PONG_MS = 5_000;
const PROBE_PONG_MS = 3_000;
/** A timer this late woke with the machine. */
const LATE_TIMER_MS = 5_000;

/** Signs of life of one connection: an open socket that says nothing is asked, and given up when it does not answer. */
export class Heartbeat {
  readonly #host: HeartbeatHost;
  readonly #alarm: Alarm;
  #beats = false;
  #interval_ms = 25_000;
  #heard = 0;
  #pinged: number | undefined;
  #pongDue_ms = 0;
  #number = 0;

  constructor(host: HeartbeatHost) {
    this.#host = host;
    this.#alarm = new Alarm(host.environment);
  }

  start(interval_ms: number): void {
    this.#beats = true;
    this.#interval_ms = interval_ms;
  }

  stop(): void {
    this.#beats = false;
    this.#pinged = undefined;
    this.#alarm.clear();
  }

  /** Anything that arrives is a sign of life. */
  heard(): void {
    this.#heard = this.#host.environment.now();
    this.#pinged = undefined;
  }

  /** Makes sure that a timer goes off when the next sign of life is due. */
  arm(): void {
    if (!this.#beats) return;
    const now = this.#host.environment.now();
    const due = this.#pinged === undefined
      ? this.#heard + this.#quiet_ms()
      : this.#pinged + this.#pongDue_ms;
    // A timer that is due earlier looks for itself whether it still has to act.
    if (this.#alarm.isSet && this.#alarm.due <= due) return;
    this.#alarm.set(due - now, () => {
      this.#beat(this.#host.environment.now() - this.#alarm.due > LATE_TIMER_MS);
    });
  }

  /** Asks for a quick sign of life, because there is reason to doubt. */
  probe(): void {
    this.#ping(Math.min(PROBE_PONG_MS, this.#host.busyPong_ms ?? PROBE_PONG_MS));
  }

  #quiet_ms(): number {
    return this.#host.isBusy()
      ? Math.min(this.#interval_ms, this.#host.busyQuiet_ms ?? BUSY_QUIET_MS)
      : this.#interval_ms;
  }

  #beat(late: boolean): void {
    const now = this.#host.environment.now();
    if (this.#pinged !== undefined) {
      // After a sleep the answer may already be waiting to be read: ask once more instead of judging.
      if (late) return this.probe();
      if (now >= this.#pinged + this.#pongDue_ms) return this.#host.died();
    } else if (now >= this.#heard + this.#quiet_ms()) {
      const due_ms = this.#host.busyPong_ms ?? BUSY_PONG_MS;
      this.#ping(this.#host.isBusy() ? Math.min(this.#interval_ms, due_ms) : this.#interval_ms);
      return;
    }
    this.arm();
  }

  #ping(due_ms: number): void {
    this.#pinged = this.#host.environment.now();
    this.#pongDue_ms = due_ms;
    this.#number += 1;
    this.#host.ping(String(this.#number));
    this.#alarm.clear();
    this.arm();
  }
}
