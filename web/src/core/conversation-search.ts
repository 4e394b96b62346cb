/** A search through titles and texts of conversations, as one types. */

import type { Conversation } from "./conversations.ts";
import { foldCase, type MarkedPart, markWords, searchWords, snippetAround } from "./marked-text.ts";
import type { TextPiece } from "./text-pieces.ts";

export interface FoundConversation {
  readonly conversation: Conversation;
  readonly title: readonly MarkedPart[];
  /** Where the text has a word that the title has not, and what stands around it. */
  readonly snippet?: { readonly turn: string; readonly parts: readonly MarkedPart[] };
}

interface IndexedPiece extends TextPiece {
  readonly folded: string;
}

/** Characters of all texts that are held; the texts that come when it is full are left out. */
const INDEX_CHARACTERS = 16 * 1024 * 1024;

/**
 * The texts that are searched. It holds them only while there is something to look for.
 *
 * A conversation is found when each word of the query stands in its title or in its text.
 */
export class ConversationSearch {
  readonly #pieces = new Map<string, readonly IndexedPiece[]>();
  readonly #limit: number;
  #characters = 0;

  constructor(limit_characters: number = INDEX_CHARACTERS) {
    this.#limit = limit_characters;
  }

  has(id: string): boolean {
    return this.#pieces.has(id);
  }

  /** Takes the text of a conversation; answers whether there was room for it. */
  add(id: string, pieces: readonly TextPiece[]): boolean {
    this.remove(id);
    const size = pieces.reduce((sum, { text }) => sum + text.length, 0);
    if (this.#characters + size > this.#limit) return false;
    this.#characters += size;
    this.#pieces.set(id, pieces.map((piece) => ({ ...piece, folded: foldCase(piece.text) })));
    return true;
  }

  remove(id: string): void {
    for (const { text } of this.#pieces.get(id) ?? []) this.#characters -= text.length;
    this.#pieces.delete(id);
  }

  clear(): void {
    this.#pieces.clear();
    this.#characters = 0;
  }

  /** The conversations of the list that are found, in its order; all of them when nothing is asked for. */
  find(list: readonly Conversation[], query: string): FoundConversation[] {
    const words = searchWords(query);
    const found: FoundConversation[] = [];
    for (const conversation of list) {
      const title = foldCase(conversation.title);
      const missing = words.filter((word) => !title.includes(word));
      const pieces = missing.length === 0 ? [] : this.#pieces.get(conversation.id) ?? [];
      if (!missing.every((word) => pieces.some(({ folded }) => folded.includes(word)))) continue;
      const place = missing.length === 0 ? undefined : placeOf(pieces, words, missing);
      found.push({
        conversation,
        title: markWords(conversation.title, words),
        ...(place === undefined ? {} : {
          snippet: {
            turn: place.piece.turn,
            parts: snippetAround(place.piece.text, place.at, words),
          },
        }),
      });
    }
    return found;
  }
}

/** The words side by side, as they were typed, where the text has them so; else one that the title lacks. */
function placeOf(
  pieces: readonly IndexedPiece[],
  words: readonly string[],
  missing: readonly string[],
): { readonly piece: IndexedPiece; readonly at: number } | undefined {
  for (const wanted of [words.join(" "), ...missing]) {
    for (const piece of pieces) {
      const at = piece.folded.indexOf(wanted);
      if (at >= 0) return { piece, at };
    }
  }
  return undefined;
}
