import type { Change } from "./connection-state.ts";

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

  /** From now on changes of turns are collected. */
  hold(): void {
    this.#held ??= { turns: false, ids: new Set() };
  }

  /** Tells what was collected, each turn once. */
  release(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    if (held.turns) this.emit({ type: "turns" });
    for (const id of held.ids) this.emit({ type: "turn", id });
  }

  close(): void {
    this.#listeners.clear();
  }
}
