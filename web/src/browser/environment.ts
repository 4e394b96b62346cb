/** The browser as the client's environment. */

import type {
  Environment,
  PageSignal,
  Readiness,
  Socket,
  SocketHandlers,
} from "../core/environment.ts";

const INQUIRY_TIMEOUT_MS = 5_000;
/** A longer timer goes off at once. */
const MAXIMUM_TIMER_MS = 2 ** 31 - 1;

export class BrowserEnvironment implements Environment {
  now(): number {
    // `performance.now()` stands still while some machines sleep; the time of day does not.
    return Date.now();
  }

  date(): number {
    return Date.now();
  }

  setTimer(delay_ms: number, fire: () => void): number {
    return setTimeout(fire, Math.min(delay_ms, MAXIMUM_TIMER_MS)) as unknown as number;
  }

  clearTimer(handle: unknown): void {
    clearTimeout(handle as number);
  }

  random(): number {
    const words = crypto.getRandomValues(new Uint32Array(1));
    return words[0]! / 2 ** 32;
  }

  openSocket(url: string, subprotocol: string, handlers: SocketHandlers): Socket {
    const socket = new WebSocket(url, subprotocol);
    socket.onopen = () => handlers.opened();
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") handlers.received(data);
    };
    socket.onclose = ({ code, reason }) => handlers.closed(code, reason);
    return {
      send: (text) => socket.send(text),
      close: (code, reason) => socket.close(code, reason),
    };
  }

  async inquire(url: string): Promise<Readiness | undefined> {
    const place = new URL("../readyz", url.replace(/^ws/, "http"));
    if (place.origin !== globalThis.location.origin) return undefined; // Elsewhere it may not be read.
    try {
      const signal = AbortSignal.timeout(INQUIRY_TIMEOUT_MS);
      const answer = await fetch(place, { cache: "no-store", credentials: "omit", signal });
      if (answer.ok) return { ready: true };
      const { error } = await answer.json() as { error?: { code?: unknown } };
      return typeof error?.code === "string" ? { ready: false, code: error.code } : undefined;
    } catch {
      return undefined;
    }
  }

  online(): boolean {
    return navigator.onLine;
  }

  observePage(observer: (signal: PageSignal) => void): () => void {
    const stop = new AbortController();
    const on = (target: EventTarget, type: string, signal: PageSignal) =>
      target.addEventListener(type, () => observer(signal), { signal: stop.signal });
    on(globalThis, "online", "online");
    on(globalThis, "offline", "offline");
    on(globalThis, "pageshow", "wake");
    on(globalThis, "pagehide", "sleep");
    on(document, "resume", "wake");
    on(document, "freeze", "sleep");
    document.addEventListener(
      "visibilitychange",
      () => observer(document.visibilityState === "visible" ? "wake" : "sleep"),
      { signal: stop.signal },
    );
    return () => stop.abort();
  }
}

/** The chat endpoint of the server that the page came from. */
export function sameOriginUrl(path = "/v1/chat"): string {
  const { protocol, host } = globalThis.location;
  return `${protocol === "https:" ? "wss:" : "ws:"}//${host}${path}`;
}
