/** The browser as the client's environment, and IndexedDB as its store. No Vue. */
export { BrowserEnvironment, sameOriginUrl } from "./environment.ts";
export { IndexedConversationStore } from "./indexed-conversations.ts";
export { IndexedSessionStore } from "./indexed-store.ts";
