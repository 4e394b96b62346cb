/** What a conversation says, for a search: the words of its turns, without pictures, tools and thoughts. */

import { lastAttempts } from "./message-id.ts";
import { answerText, inputText, type Turn } from "./turn.ts";

/** The question or the answer of one turn, as Markdown. */
export interface TextPiece {
  readonly turn: string;
  readonly text: string;
}

/** Of a longer conversation its newest pieces are kept. */
export const CONVERSATION_CHARACTERS = 128 * 1024;

/** The pieces of the turns that are shown, in their order. */
export function textPieces(turns: readonly Turn[]): TextPiece[] {
  const pieces: TextPiece[] = [];
  let left = CONVERSATION_CHARACTERS;
  for (const { id, input, answer } of lastAttempts(turns).reverse()) {
    for (const text of [answerText(answer), inputText(input)]) {
      if (text === "" || left === 0) continue;
      pieces.push({ turn: id, text: text.slice(0, left) });
      left -= Math.min(left, text.length);
    }
  }
  return pieces.reverse();
}
