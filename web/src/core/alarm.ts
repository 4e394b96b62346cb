import type { Environment, TimerHandle } from "./environment.ts";

/** One timer that is either set or not; setting it again replaces it. */
export class Alarm {
  readonly #environment: Environment;
  #handle: TimerHandle | undefined;
  /** When it goes off, on the environment's clock; meaningless while it is not set. */
  due = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  get isSet(): boolean {
    return this.#handle !== undefined;
  }

  set(delay_ms: number, fire: () => void): void {
    this.clear();
    const delay = Math.max(0, delay_ms);
    this.due = this.#environment.now() + delay;
    this.#handle = this.#environment.setTimer(delay, () => {
      this.#handle = undefined;
      fire();
    });
  }

  clear(): void {
    if (this.#handle !== undefined) this.#environment.clearTimer(this.#handle);
    this.#handle = undefined;
  }
}
