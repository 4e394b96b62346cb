/** An adapter that makes a gateway a `ChatTransport` of the Vercel AI SDK. */
export { ChunkWriter } from "./chunks.ts";
export { MillraceChatTransport, type MillraceTransportOptions } from "./transport.ts";
export type * from "./types.ts";
