/** The gateway's client as Vue composables. */
export * from "../browser/mod.ts";
export type { FoundConversation } from "../core/conversation-search.ts";
export { type MarkedPart } from "../core/marked-text.ts";
export * from "./scheduler.ts";
export * from "./useChatStream.ts";
export * from "./useConversations.ts";
export * from "./useStickToBottom.ts";
