/** One flush per animation frame: the rhythm in which the page takes over what has arrived. */

export interface FrameScheduler {
  /** Asks for one flush; asking again before it happens changes nothing. */
  request(flush: () => void): void;
  cancel(): void;
}

/** A hidden tab gets no animation frames, so a timer takes over; what it shows on return is already there. */
const HIDDEN_FLUSH_MS = 250;

export class AnimationFrameScheduler implements FrameScheduler {
  #frame: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  request(flush: () => void): void {
    if (this.#frame !== undefined || this.#timer !== undefined) return;
    const run = () => {
      this.cancel();
      flush();
    };
    const hidden = typeof document === "undefined" || document.hidden;
    if (!hidden) this.#frame = requestAnimationFrame(run);
    this.#timer = setTimeout(run, HIDDEN_FLUSH_MS);
  }

  cancel(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#frame = this.#timer = undefined;
  }
}
