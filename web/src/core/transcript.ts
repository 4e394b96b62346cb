import { type Discard, joinDiscards } from "./discards.ts";
import { finish } from "./finish.ts";
import { turnsOfHistory } from "./history.ts";
import { applyItem, applyTool, applyUpstream } from "./output-item.ts";
import type {
  DeltaEvent,
  LogEvent,
  MessageInput,
  ResponseEvent,
  SnapshotFrame,
  SnapshotResponse,
  StateFrame,
} from "./protocol.ts";
import {
  type Answer,
  interrupt,
  isRunning,
  isSettled,
  itemText,
  type OutputItem,
  type Turn,
} from "./turn.ts";

/** The turns of one session after a number of events, and the functions that apply the next one. */
export class Transcript {
  turns: Turn[];
  /** Messages that were taken out: no other page brings them back. */
  discarded: readonly Discard[] = [];
  /** Counts changes of the order that leave the number of turns as it was. */
  orderRevision = 0;
  readonly #byResponse = new Map<string, Turn>();
  readonly #byMessage = new Map<string, Turn>();
  readonly #date: () => number;

  constructor(turns: Turn[], date: () => number) {
    this.turns = turns;
    this.#date = date;
    this.#reindex();
  }

  turn(message: string): Turn | undefined {
    return this.#byMessage.get(message);
  }

  turnOfResponse(response: string): Turn | undefined {
    return this.#byResponse.get(response);
  }

  running(): Turn[] {
    return this.turns.filter(isRunning);
  }

  add(turn: Turn): void {
    this.turns.push(turn);
    this.#byMessage.set(turn.id, turn);
  }

  replace(turns: Turn[]): void {
    this.turns = turns;
    this.#reindex();
  }

  /** Takes a turn out for good; `turns` are left. */
  discard(turn: Turn, turns: Turn[]): void {
    const at = Math.max(this.#date(), turn.created); // A clock may be set back.
    this.discarded = joinDiscards(this.discarded, [{ id: turn.id, at }]);
    this.replace(turns);
  }

  #reindex(): void {
    this.#byMessage.clear();
    this.#byResponse.clear();
    for (const turn of this.turns) {
      this.#byMessage.set(turn.id, turn);
      if (turn.answer) this.#byResponse.set(turn.answer.id, turn);
    }
  }

  /** Applies one event of the log; returns the turn that changed, and whether the list of turns did. */
  apply(event: LogEvent): { turn: Turn | undefined; listChanged: boolean } {
    const length = this.turns.length, order = this.orderRevision;
    const turn = this.#apply(event);
    return { turn, listChanged: this.turns.length !== length || this.orderRevision !== order };
  }

  #apply(event: LogEvent): Turn | undefined {
    if (event.type === "message") return this.#message(event);
    if (event.type === "response") return this.#response(event);
    const turn = this.#byResponse.get(event.response);
    const answer = turn?.answer;
    if (turn === undefined || answer === undefined) return undefined;
    delete answer.activity;
    switch (event.type) {
      case "delta":
        this.#delta(this.#item(answer, event.index), event);
        break;
      case "tool":
        applyTool(this.#item(answer, event.index), event);
        break;
      case "item":
        applyItem(this.#item(answer, event.index), event, this.#date());
        break;
      case "upstream_event":
        if (event.index !== undefined) {
          applyUpstream(this.#item(answer, event.index), event);
        }
        break;
      case "seam": {
        const { index, reason } = event;
        (answer.seams ??= []).push(reason === undefined ? { index } : { index, reason });
        break;
      }
      case "complete":
        finish(turn, answer, event);
        break;
    }
    return turn;
  }

  #message(event: { id: string; input?: MessageInput; input_bytes?: number }): Turn {
    const known = this.#byMessage.get(event.id);
    if (known !== undefined) {
      known.delivery = "accepted";
      delete known.problem;
      this.#moveBeforeUnsent(known);
      return known;
    }
    if (this.turns.length === 0 && event.input !== undefined && typeof event.input !== "string") {
      for (const turn of turnsOfHistory(event.input, event.id, this.#date())) this.add(turn);
    }
    const turn: Turn = { id: event.id, delivery: "accepted", created: this.#date() };
    if (event.input !== undefined) turn.input = event.input;
    if (event.input_bytes !== undefined) turn.input_bytes = event.input_bytes;
    this.add(turn);
    this.#moveBeforeUnsent(turn);
    return turn;
  }

  /** Accepted turns stand in the order of the log; what waits to be accepted stands behind them. */
  #moveBeforeUnsent(turn: Turn): void {
    const unsent = this.turns.findIndex((each) =>
      each !== turn && (each.delivery === "queued" || each.delivery === "sent")
    );
    const place = this.turns.indexOf(turn);
    if (unsent === -1 || place < unsent) return;
    this.turns.splice(place, 1);
    this.turns.splice(unsent, 0, turn);
    this.orderRevision++;
  }

  #response(event: ResponseEvent): Turn {
    let turn = this.#byMessage.get(event.message);
    if (turn === undefined) turn = this.#message({ id: event.message });
    turn.delivery = "accepted";
    if (turn.answer === undefined || turn.answer.id !== event.response) {
      turn.answer = { id: event.response, status: event.status, items: [], integrity: "pending" };
      this.#byResponse.set(event.response, turn);
    }
    turn.answer.status = event.status;
    if (event.model !== undefined) turn.answer.model = event.model;
    return turn;
  }

  #item(answer: Answer, index: number): OutputItem {
    const last = answer.items.at(-1);
    if (last?.index === index) return last;
    let place = answer.items.length;
    while (place > 0 && answer.items[place - 1]!.index > index) place--;
    const found = answer.items[place - 1];
    if (found?.index === index) return found;
    const item: OutputItem = { index, parts: [], began: this.#date() };
    answer.items.splice(place, 0, item);
    return item;
  }

  #delta(item: OutputItem, event: DeltaEvent): void {
    const number = event.part ?? 0;
    let part = item.parts.findLast((each) => each.kind === event.kind && each.part === number);
    if (part === undefined) {
      if (event.kind === "text" && item.parts.some((each) => each.kind === "text")) {
        item.arrived ??= itemText(item, "text");
      }
      part = { kind: event.kind, part: number, text: "" };
      item.parts.push(part);
    }
    part.text += event.text;
    if (event.kind === "text" && item.arrived !== undefined) item.arrived += event.text;
    item.ended = this.#date();
  }

  /** Why nothing comes, for one response. Returns the turn that changed. */
  state(frame: StateFrame): Turn | undefined {
    const turn = (frame.response !== undefined && this.#byResponse.get(frame.response)) ||
      (frame.message !== undefined && this.#byMessage.get(frame.message)) || undefined;
    if (turn?.answer && isRunning(turn)) turn.answer.activity = frame;
    return turn;
  }

  /** Puts a snapshot in the place of what was known of its responses. */
  snapshot(frame: SnapshotFrame): void {
    const told = new Set(frame.responses.map((each) => each.message));
    // What the gateway no longer tells but we still have stays in front: it is older than everything in the snapshot.
    const older = this.turns.filter((turn) => !told.has(turn.id) && isSettled(turn));
    const waiting = this.turns.filter((turn) => !told.has(turn.id) && !isSettled(turn));
    for (const turn of waiting) if (turn.answer) turn.answer.status = "interrupted";
    const rebuilt = frame.responses.map((each) => this.#rebuild(each));
    const unsent = waiting.filter((turn) => turn.answer === undefined);
    const lost = waiting.filter((turn) => turn.answer !== undefined);
    this.replace([...older, ...lost, ...rebuilt, ...unsent]);
  }

  #rebuild(told: SnapshotResponse): Turn {
    const known = this.#byMessage.get(told.message);
    const turn: Turn = known ??
      { id: told.message, delivery: "accepted", created: this.#date() };
    turn.delivery = "accepted";
    if (turn.input === undefined && told.input !== undefined) turn.input = told.input;
    if (told.input_bytes !== undefined) turn.input_bytes = told.input_bytes;
    const answer: Answer = {
      id: told.response,
      status: told.status,
      items: [],
      integrity: "pending",
      from_snapshot: true,
    };
    if (told.model !== undefined) answer.model = told.model;
    turn.answer = answer;
    for (const { index, item } of told.items ?? []) {
      applyItem(this.#item(answer, index), { index, item }, undefined);
    }
    for (const piece of told.partial ?? []) {
      const item = this.#item(answer, piece.index);
      if (item.item !== undefined) continue;
      this.#delta(item, { type: "delta", seq: 0, response: told.response, ...piece });
    }
    for (const item of answer.items) {
      delete item.began;
      delete item.ended;
    }
    if (told.seams !== undefined) answer.seams = told.seams.map((index) => ({ index }));
    if (told.complete !== undefined) {
      finish(turn, answer, { ...told.complete, type: "complete" });
    }
    return turn;
  }

  /** Their session is gone; returns the turns that changes. */
  interrupt(): Turn[] {
    return this.turns.filter(interrupt);
  }
}
