import type { Change, Notice } from "./connection-state.ts";
import type { Turn } from "./turn.ts";

/** Tells whoever watches what changed; what a replay changes is held back, so that it is one change. */
export class ChangeFeed {
  readonly #listeners = new Set<(change: Change) => void>();
  #held: { turns: boolean; readonly ids: Set<string> } | undefined;

  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(change: Change): void {
    if (this.#held !== undefined) {
      if (change.type === "turns") this.#held.turns = true;
      if (change.type === "turn") this.#held.ids.add(change.id);
      if (change.type === "turns" || change.type === "turn") return;
    }
    for (const listener of [...this.#listeners]) listener(change);
  }

  turn({ id }: Turn): void {
    this.emit({ type: "turn", id });
  }

  /** Turns came, went, or changed places. */
  turns(): void {
    this.emit({ type: "turns" });
  }

  notice(notice: Notice): void {
    this.emit({ type: "notice", notice });
  }

  /** From now on changes of turns are collected. */
  hold(): void {
    this.#held ??= { turns: false, ids: new Set() };
  }

  /** Tells what was collected, each turn once. */
  release(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    if (held.turns) this.turns();
    for (const id of held.ids) this.emit({ type: "turn", id });
  }

  close(): void {
    this.#listeners.clear();
  }
}
