/** The list of conversations in IndexedDB, beside the sessions. */

import type { Conversation, ConversationStore } from "../core/conversations.ts";
import { CONVERSATIONS, transact } from "./indexed-store.ts";

export class IndexedConversationStore implements ConversationStore {
  async list(): Promise<Conversation[]> {
    return await transact<Conversation[]>(CONVERSATIONS, "readonly", (objects, answer) => {
      const request = objects.getAll();
      request.onsuccess = () => answer(request.result);
    }) ?? [];
  }

  async put(conversation: Conversation): Promise<void> {
    await transact<void>(CONVERSATIONS, "readwrite", (objects) => {
      objects.put(structuredClone(conversation));
    });
  }

  async remove(id: string): Promise<void> {
    await transact<void>(CONVERSATIONS, "readwrite", (objects) => {
      objects.delete(id);
    });
  }
}
