/** The framework-free client of a Millrace gateway. No DOM, no Vue. */
export { allowedOptions } from "./allowed-options.ts";
export * from "./backoff.ts";
export { type CitationMark, CitationMarks, type Source, sourcesOf } from "./citations.ts";
export * from "./client.ts";
export * from "./connection-state.ts";
export type { Discard } from "./discards.ts";
export * from "./environment.ts";
export { historyItems } from "./history.ts";
export { mergeSessions } from "./merge.ts";
export { splitRetryId } from "./message-id.ts";
export * from "./protocol.ts";
export { sha256Hex } from "./sha256.ts";
export * from "./store.ts";
export * from "./stored-session.ts";
export * from "./transcript.ts";
export * from "./turn.ts";
