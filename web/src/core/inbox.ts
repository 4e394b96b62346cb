import type { ChangeFeed } from "./change-feed.ts";
import { type Link, SEQUENCE_FAULT } from "./link.ts";
import type { Outbox } from "./outbox.ts";
import {
  decodeFrames,
  type ErrorFrame,
  isLogEvent,
  type ReadyFrame,
  type ServerFrame,
  type SnapshotFrame,
  type UnknownFrame,
} from "./protocol.ts";
import type { SessionKeeper } from "./session-keeper.ts";
import type { SessionPlace } from "./session-place.ts";
import type { Transcript } from "./transcript.ts";
import { isSettled } from "./turn.ts";

export interface InboxHost {
  readonly feed: ChangeFeed;
  readonly transcript: Transcript;
  readonly place: SessionPlace;
  readonly link: Link;
  readonly outbox: Outbox;
  readonly keeper: SessionKeeper;
  /** There may be something to say. */
  flush(): void;
}

/** After this many faults at one position the log is read again from its beginning. */
const FAULTS_BEFORE_RESYNC = 3;

/**
 * What the gateway says.
 *
 * Every event of the session's log is applied exactly once and in order; an event that is not the next one is taken as
 * a fault, never as a gap.
 */
export class Inbox {
  readonly #host: InboxHost;
  // The replay: from where, and to which event, it goes. 0: there is none.
  #replayStart = 0;
  #replayEnd = 0;
  #faults = 0;

  constructor(host: InboxHost) {
    this.#host = host;
  }

  /** What came before this connection is still being told. */
  get isReplaying(): boolean {
    return this.#host.place.seq < this.#replayEnd;
  }

  /** One frame of the socket: one or more objects. */
  received(text: string): void {
    const life = this.#host.link.life;
    let frames: ServerFrame[];
    try {
      frames = decodeFrames(text);
    } catch (error) {
      return this.#fault(String(error));
    }
    for (const frame of frames) {
      this.#onFrame(frame);
      if (life !== this.#host.link.life) return;
    }
  }

  #onFrame(frame: ServerFrame): void {
    const { link, transcript, feed, place, keeper } = this.#host;
    if (frame.type === "ready") return this.#onReady(frame);
    if (frame.type === "error") return this.#onError(frame);
    if (!link.isReady) return this.#fault(`${frame.type} before ready`);
    switch (frame.type) {
      case "snapshot":
        return this.#onSnapshot(frame);
      case "state": {
        const turn = transcript.state(frame);
        if (turn === undefined) return;
        if (frame.state === "attached" && turn.delivery === "sent") turn.delivery = "accepted";
        return feed.turn(turn);
      }
      case "token":
        place.renew(frame.resume_token);
        return keeper.schedule();
      case "going_away":
        return link.drains(frame.reconnect_after_ms ?? 1_000);
      case "pong":
        return;
      case "unknown":
        return this.#onUnknown(frame);
      default:
        return this.#onEvent(frame);
    }
  }

  #onReady(frame: ReadyFrame): void {
    const { link, place, feed, keeper } = this.#host;
    if (link.isReady) return this.#fault("a second ready");
    const asked = link.resumedWith;
    if (asked !== undefined && !place.isContinued(frame, asked)) {
      this.#loseSession(frame.recovered ? "position_unknown" : frame.reason ?? "unknown");
      if (frame.recovered) return link.fail(SEQUENCE_FAULT, "the position is unknown");
    }
    place.enter(frame);
    this.#replayStart = place.seq;
    this.#replayEnd = frame.recovered ? frame.seq : 0;
    link.ready(frame);
    if (asked !== undefined && this.isReplaying) feed.hold();
    // What waits is sent once the store has this session and no other page's, and as far as none has taken it back.
    keeper.agree();
    this.#caughtUp();
    link.arm();
  }

  #loseSession(reason: string): void {
    const { transcript, place, outbox, feed } = this.#host;
    const changed = transcript.interrupt();
    const settled = transcript.turns.filter(isSettled).length;
    place.leave(settled);
    outbox.forgetCancels();
    for (const turn of changed) feed.turn(turn);
    if (settled > 0) feed.notice({ type: "session_lost", reason });
  }

  /** Once the replay has reached the end of the log, what waits may be sent. */
  #caughtUp(): void {
    const { link, feed, place } = this.#host;
    if (!link.isReady || this.isReplaying) return;
    if (feed.isHeld) {
      feed.release();
      feed.notice({ type: "resumed", events: place.seq - this.#replayStart });
    } else if (link.resumedWith !== undefined && this.#replayEnd > 0) {
      feed.notice({ type: "resumed", events: 0 });
    }
    this.#replayEnd = 0;
    link.caughtUp();
    this.#host.flush();
  }

  /** Moves the position over one event, or says that it is not the next one. */
  #advance(frame: { readonly seq: number; readonly from?: number }): boolean {
    if (!this.#host.place.advance(frame)) {
      this.#fault(`event ${frame.from ?? frame.seq} came after ${this.#host.place.seq}`);
      return false;
    }
    this.#faults = 0;
    return true;
  }

  #onEvent(frame: ServerFrame): void {
    const { transcript, feed, place, outbox, link, keeper } = this.#host;
    if (!isLogEvent(frame) || !this.#advance(frame)) return;
    const { turn, listChanged } = transcript.apply(frame);
    if (listChanged) feed.turns();
    if (turn !== undefined) feed.turn(turn);
    if (frame.type === "message") place.unknownTurns = 0;
    if (frame.type === "complete") {
      if (turn !== undefined) outbox.ended(turn);
      link.worked();
    }
    if (this.#replayEnd > 0) this.#caughtUp();
    else if (frame.type === "message") this.#host.flush();
    if (frame.type !== "complete") return keeper.schedule();
    keeper.agree(); // Then follows what waited for the answer.
    link.leaveDraining();
  }

  #onUnknown(frame: UnknownFrame): void {
    if (frame.seq === undefined) return;
    const { seq, from } = frame;
    if (this.#advance(from === undefined ? { seq } : { seq, from })) this.#caughtUp();
  }

  #onSnapshot(frame: SnapshotFrame): void {
    const { place, transcript, feed, keeper } = this.#host;
    if (!place.jump(frame.through)) return this.#fault("a snapshot of the past");
    this.#faults = 0;
    transcript.snapshot(frame);
    place.unknownTurns = 0;
    feed.turns();
    for (const turn of transcript.turns) feed.turn(turn);
    this.#caughtUp();
    keeper.schedule();
  }

  #onError(frame: ErrorFrame): void {
    const { transcript, outbox, link, feed } = this.#host;
    const turn = frame.message_id === undefined ? undefined : transcript.turn(frame.message_id);
    if (turn !== undefined && turn.answer === undefined && turn.delivery !== "accepted") {
      return outbox.onError(turn, frame);
    }
    link.told(frame);
    feed.notice({ type: "error", error: frame });
  }

  /** Leaves this connection and resumes: the only answer to an event that is not the next one. */
  #fault(reason: string): void {
    const { place, transcript, link } = this.#host;
    this.#faults += 1;
    if (this.#faults >= FAULTS_BEFORE_RESYNC) {
      this.#faults = 0;
      place.rewind();
      for (const turn of transcript.turns.slice(place.unknownTurns)) {
        if (turn.delivery === "accepted") delete turn.answer;
      }
      transcript.replace([...transcript.turns]);
    }
    link.fail(SEQUENCE_FAULT, reason);
  }
}
