/** The gateway's client as Vue composables. */
export { BrowserEnvironment, sameOriginUrl } from "../browser/environment.ts";
export { IndexedConversationStore } from "../browser/indexed-conversations.ts";
export { IndexedSessionStore } from "../browser/indexed-store.ts";
export type { FoundConversation } from "../core/conversation-search.ts";
export { type MarkedPart } from "../core/marked-text.ts";
export * from "./scheduler.ts";
export * from "./useChatStream.ts";
export * from "./useConversations.ts";
export * from "./useStickToBottom.ts";
