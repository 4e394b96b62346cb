import {
  computed,
  type ComputedRef,
  getCurrentScope,
  onScopeDispose,
  type Ref,
  ref,
  type ShallowRef,
  shallowRef,
  watch,
} from "vue";
import { openChannel } from "../browser/channel.ts";
import { BrowserEnvironment } from "../browser/environment.ts";
import {
  type Conversation,
  type ConversationStore,
  importConversation,
  MemoryConversationStore,
} from "../core/conversations.ts";
import { ConversationSearch, type FoundConversation } from "../core/conversation-search.ts";
import type { Environment } from "../core/environment.ts";
import { searchWords } from "../core/marked-text.ts";
import { newRandomId } from "../core/message-id.ts";
import { MemoryStore, type SessionStore } from "../core/store.ts";
import { type TextPiece, textPieces } from "../core/text-pieces.ts";

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
  /** Those whose title or text has each word of `query`, with the words marked. The newest texts come first. */
  readonly found: ComputedRef<readonly FoundConversation[]>;
  /** Texts are still being read: more may be found. */
  readonly searching: ShallowRef<boolean>;
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

/** Texts that are read at once while a search begins; in between the page may do something else. */
const TEXTS_AT_ONCE = 50;

/** The list of conversations as refs, the same in all tabs. */
export function useConversations(options: UseConversationsOptions = {}): Conversations {
  const store = options.store ?? new MemoryConversationStore();
  const sessions: SessionStore = options.sessions ?? new MemoryStore();
  const environment = options.environment ?? new BrowserEnvironment();
  const newId = () => newRandomId("c_", () => environment.random());
  const list = shallowRef<readonly Conversation[]>([]);
  const loaded = shallowRef(false);
  const query = ref("");

  const channelName = options.channel === undefined ? "millrace.conversations" : options.channel;
  // On a server an open channel would keep the process from ending, and there are no tabs.
  const channel = channelName === null || typeof document === "undefined"
    ? undefined
    : openChannel(channelName);
  /** Counts what this page has changed. */
  let changes = 0;
  /** What the store would not take lasts as long as the page. */
  const refused = new Map<string, Conversation>();
  const reload = async (): Promise<void> => {
    const before = changes;
    const kept = await store.list();
    if (before !== changes) return reload(); // It may be from before that.
    const known = new Set(kept.map(({ id }) => id));
    list.value = sorted([...kept, ...[...refused.values()].filter(({ id }) => !known.has(id))]);
    loaded.value = true;
  };
  channel?.addEventListener("message", () => void reload().catch(() => {}));

  const search = new ConversationSearch();
  /** Counts what came into the index, and searches that were begun. */
  const indexed = shallowRef(0);
  const searching = shallowRef(false);
  let round = 0;
  const readTexts = async (ids: readonly string[]) => {
    if (sessions.texts !== undefined) return await sessions.texts(ids);
    const texts = new Map<string, readonly TextPiece[]>();
    for (const id of ids) {
      const session = await sessions.load(id);
      if (session !== undefined) texts.set(id, textPieces(session.turns));
    }
    return texts;
  };
  const index = async () => {
    const current = ++round;
    searching.value = true;
    const wanted = list.value.map(({ id }) => id).filter((id) => !search.has(id));
    try {
      for (let place = 0; place < wanted.length; place += TEXTS_AT_ONCE) {
        const texts = await readTexts(wanted.slice(place, place + TEXTS_AT_ONCE));
        if (current !== round) return;
        let hasRoom = true;
        for (const [id, pieces] of texts) hasRoom = search.add(id, pieces) && hasRoom;
        indexed.value++;
        if (!hasRoom) break;
      }
    } catch {
      // What cannot be read is not found.
    }
    if (current === round) searching.value = false;
  };
  watch(() => searchWords(query.value).length > 0, (isSearching) => {
    round++;
    search.clear();
    searching.value = false;
    if (isSearching) void index();
  });
  watch(list, () => {
    if (searchWords(query.value).length > 0) void index();
  });
  if (getCurrentScope() !== undefined) onScopeDispose(() => channel?.close());
  const tellOthers = () => channel?.postMessage("changed");

  const get = (id: string) => list.value.find((each) => each.id === id);
  const update = (id: string, change: Partial<Omit<Conversation, "id">>) => {
    changes++;
    const now = environment.date();
    const old = get(id);
    const next: Conversation = {
      ...(old ?? { title: "", created: now, updated: now }),
      ...change,
      id,
    };
    search.remove(id); // Its text may have changed with it.
    list.value = sorted([...list.value.filter((each) => each.id !== id), next]);
    Promise.resolve(store.put(next)).then(() => {
      refused.delete(id);
      tellOthers();
    }, () => refused.set(id, next));
  };

  return {
    list,
    query,
    loaded,
    found: computed(() => {
      void indexed.value;
      return search.find(list.value, query.value);
    }),
    searching,
    newId,
    get,
    update,
    async remove(id) {
      const leaveOut = () => {
        changes++;
        search.remove(id);
        list.value = list.value.filter((each) => each.id !== id);
      };
      leaveOut();
      refused.delete(id);
      await store.remove(id);
      await sessions.remove(id);
      leaveOut(); // A list that was read meanwhile had it still.
      tellOthers();
    },
    async importFile(text) {
      const id = newId();
      const { conversation, session } = importConversation(text, id, environment.date());
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
