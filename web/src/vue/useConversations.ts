import {
  computed,
  type ComputedRef,
  getCurrentScope,
  onScopeDispose,
  type Ref,
  ref,
  type ShallowRef,
  shallowRef,
} from "vue";
import { BrowserEnvironment } from "../browser/environment.ts";
import {
  type Conversation,
  type ConversationStore,
  importJson,
  MemoryConversationStore,
  searchConversations,
} from "../core/conversations.ts";
import type { Environment } from "../core/environment.ts";
import { newRandomId } from "../core/message-id.ts";
import { MemoryStore, type SessionStore } from "../core/store.ts";

export interface UseConversationsOptions {
  readonly store?: ConversationStore;
  /** Where the sessions are kept, so that deleting a conversation deletes its text too. */
  readonly sessions?: SessionStore;
  /** Name of the channel by which tabs tell each other of changes; `null`: none. */
  readonly channel?: string | null;
  /** Clock and random source. */
  readonly environment?: Pick<Environment, "date" | "random">;
}

export interface Conversations {
  /** Newest first. */
  readonly list: ShallowRef<readonly Conversation[]>;
  readonly query: Ref<string>;
  /** Those that match `query`. */
  readonly found: ComputedRef<readonly Conversation[]>;
  readonly loaded: ShallowRef<boolean>;
  newId(): string;
  get(id: string): Conversation | undefined;
  /** Creates the conversation, or changes some of it. */
  update(id: string, change: Partial<Omit<Conversation, "id">>): void;
  remove(id: string): Promise<void>;
  /** Reads an exported file; answers with the new conversation's id. */
  importFile(text: string): Promise<string>;
  reload(): Promise<void>;
}

/** The list of conversations as refs, the same in all tabs. */
export function useConversations(options: UseConversationsOptions = {}): Conversations {
  const store = options.store ?? new MemoryConversationStore();
  const sessions = options.sessions ?? new MemoryStore();
  const environment = options.environment ?? new BrowserEnvironment();
  const newId = () => newRandomId("c_", () => environment.random());
  const list = shallowRef<readonly Conversation[]>([]);
  const loaded = shallowRef(false);
  const query = ref("");

  const channelName = options.channel === undefined ? "millrace.conversations" : options.channel;
  // On a server an open channel would keep the process from ending, and there are no tabs.
  const channel = channelName === null || typeof document === "undefined"
    ? undefined
    : new BroadcastChannel(channelName);
  const reload = async () => {
    const kept = await store.list();
    list.value = sorted(kept);
    loaded.value = true;
  };
  channel?.addEventListener("message", () => void reload());
  if (getCurrentScope() !== undefined) onScopeDispose(() => channel?.close());
  const tellOthers = () => channel?.postMessage("changed");

  const get = (id: string) => list.value.find((each) => each.id === id);
  const update = (id: string, change: Partial<Omit<Conversation, "id">>) => {
    const now = environment.date();
    const old = get(id);
    const next: Conversation = {
      ...(old ?? { title: "", created: now, updated: now }),
      ...change,
      id,
    };
    list.value = sorted([...list.value.filter((each) => each.id !== id), next]);
    Promise.resolve(store.put(next)).then(tellOthers, () => {});
  };

  return {
    list,
    query,
    loaded,
    found: computed(() => searchConversations(list.value, query.value)),
    newId,
    get,
    update,
    async remove(id) {
      list.value = list.value.filter((each) => each.id !== id);
      await store.remove(id);
      await sessions.remove(id);
      tellOthers();
    },
    async importFile(text) {
      const id = newId();
      const { conversation, session } = importJson(text, id, environment.date());
      await sessions.save(id, session);
      update(id, conversation);
      return id;
    },
    reload,
  };
}

function sorted(list: readonly Conversation[]): Conversation[] {
  return [...list].sort((one, other) => other.updated - one.updated);
}
