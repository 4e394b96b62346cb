/** Earlier turns inside a message: how a fresh session is told what was said before. */

import type { UpstreamObject } from "./protocol.ts";
import { answerText, contentText, lastUserItem, type Turn } from "./turn.ts";

/** The turns as Responses API input items: what a fresh session needs to know in order to go on. */
export function historyItems(turns: readonly Turn[]): UpstreamObject[] {
  const items: UpstreamObject[] = [];
  for (const turn of turns) {
    // What was taken back or refused, or may never have arrived, was not said.
    if (turn.input === undefined || turn.delivery !== "accepted") continue;
    if (typeof turn.input === "string") items.push({ role: "user", content: turn.input });
    else {
      const user = lastUserItem(turn.input);
      if (user !== undefined) items.push(user);
    }
    const text = answerText(turn.answer);
    if (text !== "") items.push({ role: "assistant", content: text });
  }
  return items;
}

/** Earlier turns that travelled inside a message to a fresh session. */
export function turnsOfHistory(
  input: readonly UpstreamObject[],
  id: string,
  now: number,
): Turn[] {
  const turns: Turn[] = [];
  const last = input.findLastIndex((item) => item.role === "user");
  for (const item of input.slice(0, Math.max(0, last))) {
    if (item.role === "user") {
      turns.push({
        id: `${id}.h${turns.length}`,
        input: [item],
        delivery: "accepted",
        created: now,
      });
    } else if (item.role === "assistant") {
      const turn = turns.at(-1);
      if (turn === undefined) continue;
      turn.answer = {
        id: `${turn.id}.r`,
        status: "completed",
        integrity: "unchecked",
        items: [{
          index: 0,
          parts: [{ kind: "text", part: 0, text: contentText(item.content, "output_text") }],
        }],
      };
    }
  }
  return turns;
}
