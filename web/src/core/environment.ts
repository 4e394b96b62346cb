/**
 * Everything the client needs from the outside world.
 *
 * No other file of `core` touches a clock, a timer, a socket or a random source, so a test that passes its own
 * environment replays any conversation, with all its deadlines, in no time.
 */

export type TimerHandle = unknown;

/** One WebSocket, as far as the client uses it. */
export interface Socket {
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export interface SocketHandlers {
  opened(): void;
  received(text: string): void;
  /** Comes exactly once, also when the socket never opened. */
  closed(code: number, reason: string): void;
}

/**
 * What the page around the client goes through.
 *
 * `wake`: visible again, thawed, or back from the page cache. `sleep`: hidden or about to be frozen or left.
 */
export type PageSignal = "online" | "offline" | "wake" | "sleep";

export interface Readiness {
  readonly ready: boolean;
  /** The gateway's error code, when it is not. */
  readonly code?: string;
}

export interface Environment {
  /** Milliseconds of a clock that never goes back, except that it may jump ahead while the machine sleeps. */
  now(): number;
  /** Milliseconds since 1970, for what is stored. */
  date(): number;
  setTimer(delay_ms: number, fire: () => void): TimerHandle;
  clearTimer(handle: TimerHandle): void;
  /** A number in [0, 1). */
  random(): number;
  /** Opens a socket; it may throw when the URL is refused outright. */
  openSocket(url: string, subprotocol: string, handlers: SocketHandlers): Socket;
  /**
   * Asks the gateway by a plain request whether it takes connections: a browser does not tell a page why a socket to
   * it was refused. Nothing, where it cannot be reached or asked. May be left out.
   */
  inquire?(url: string): Promise<Readiness | undefined>;
  /** Whether the machine believes to have a network. */
  online(): boolean;
  /** Tells what the page goes through; returns how to stop. */
  observePage(observer: (signal: PageSignal) => void): () => void;
}
