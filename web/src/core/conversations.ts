/** What is known of a conversation without opening it, and where that is kept. */

import type { MessageOptions } from "./protocol.ts";
import type { Awaitable } from "./store.ts";
import type { StoredSession } from "./stored-session.ts";
import { importedTurn } from "./imported-turn.ts";
import { readMarkdown } from "./conversation-markdown.ts";
import { inputText, type Turn } from "./turn.ts";

export interface Conversation {
  readonly id: string;
  readonly title: string;
  /** The user chose the title. */
  readonly renamed?: boolean;
  readonly created: number;
  readonly updated: number;
  /** Parameters for the messages of this conversation. */
  readonly options?: MessageOptions;
}

export interface ConversationStore {
  list(): Awaitable<Conversation[]>;
  put(conversation: Conversation): Awaitable<void>;
  remove(id: string): Awaitable<void>;
}

export class MemoryConversationStore implements ConversationStore {
  readonly #conversations = new Map<string, Conversation>();

  list(): Conversation[] {
    return [...this.#conversations.values()];
  }

  put(conversation: Conversation): void {
    this.#conversations.set(conversation.id, conversation);
  }

  remove(id: string): void {
    this.#conversations.delete(id);
  }
}

const TITLE_CHARACTERS = 60;

/** A title from the first message: its first line, cut at a word. */
export function titleOf(turns: readonly Turn[]): string {
  const line = inputText(turns[0]?.input).trim().split("\n")[0]!.replace(/\s+/g, " ");
  if (line.length <= TITLE_CHARACTERS) return line;
  const cut = line.slice(0, TITLE_CHARACTERS);
  return `${cut.slice(0, Math.max(30, cut.lastIndexOf(" ")))}…`;
}

// MARK: export and import

/** A conversation in one file. It holds no token: whoever gets it may read the text, not the session. */
export interface ExportedConversation {
  readonly format: "millrace.conversation";
  readonly version: 1;
  readonly conversation: Conversation;
  readonly turns: readonly Turn[];
}

export function exportJson(conversation: Conversation, turns: readonly Turn[]): string {
  const exported: ExportedConversation = {
    format: "millrace.conversation",
    version: 1,
    conversation,
    turns,
  };
  return JSON.stringify(exported, null, 2);
}

/** Reads an exported file, JSON or Markdown; what it holds becomes a new conversation. */
export function importConversation(
  text: string,
  id: string,
  now: number,
): { readonly conversation: Conversation; readonly session: StoredSession } {
  const { title, turns } = text.trimStart().startsWith("{")
    ? readJson(text, now)
    : readMarkdown(text, now);
  return {
    conversation: {
      id,
      title: typeof title === "string" && title !== "" ? title : titleOf(turns),
      renamed: true,
      created: now,
      updated: now,
    },
    session: { version: 1, generation: 0, seq: 0, turns, unknown_turns: turns.length, saved: now },
  };
}

function readJson(text: string, now: number): { title: string | undefined; turns: Turn[] } {
  const file = JSON.parse(text) as Partial<ExportedConversation>;
  if (file.format !== "millrace.conversation" || !Array.isArray(file.turns)) {
    throw new TypeError("not an exported conversation");
  }
  const turns = file.turns.map((turn) => importedTurn(turn, now));
  return { title: file.conversation?.title, turns };
}
