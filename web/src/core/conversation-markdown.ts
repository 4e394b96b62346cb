/**
 * A conversation as a Markdown file that people read and this page reads again.
 *
 * Comments, which no viewer shows, say where questions, answers and sources begin; a line of an answer that reads like
 * one has a backslash more than it had. A file holds words only: no attachments, tools or thoughts.
 */

import { type Source, sourcesOf } from "./citations.ts";
import { lastAttempts } from "./message-id.ts";
import { answerText, inputText, type Turn } from "./turn.ts";

const MARKER = /^<!-- (question|answer|sources) -->$/;
const LIKE_MARKER = /^\\*<!-- (?:question|answer|sources) -->$/gm;
const ESCAPED_MARKER = /^\\(\\*<!-- (?:question|answer|sources) -->)$/gm;

export function exportMarkdown(
  { title }: { readonly title: string },
  turns: readonly Turn[],
): string {
  const parts = [`# ${title}`];
  for (const turn of lastAttempts(turns)) {
    parts.push("<!-- question -->");
    const question = inputText(turn.input);
    if (question !== "") parts.push(question.split("\n").map((line) => `> ${line}`).join("\n"));
    const answer = answerText(turn.answer);
    if (answer !== "") parts.push("<!-- answer -->", answer.replace(LIKE_MARKER, "\\$&"));
    const sources = turn.answer === undefined ? [] : sourcesOf(turn.answer);
    if (sources.length > 0) parts.push("<!-- sources -->", sources.map(sourceLine).join("\n"));
  }
  return parts.join("\n\n") + "\n";
}

function sourceLine({ number, title, url }: Source): string {
  const words = title.replace(/[\\[\]]/g, "\\$&").replace(/\s+/g, " ");
  return url === undefined ? `${number}. ${words}` : `${number}. [${words}](<${url}>)`;
}

/** Reads what `exportMarkdown` wrote. */
export function readMarkdown(text: string, now: number): { title: string; turns: Turn[] } {
  const lines = text.replace(/\r\n/g, "\n").split("\n");
  const starts = lines.flatMap((line, place) => MARKER.test(line) ? [place] : []);
  if (starts.length === 0) throw new TypeError("not an exported conversation");
  const turns: Turn[] = [];
  starts.forEach((start, place) => {
    // An empty line stands before and behind each section.
    const body = lines.slice(start + 2, (starts[place + 1] ?? lines.length) - 1);
    const turn = turns.at(-1);
    const number = turns.length;
    switch (MARKER.exec(lines[start]!)![1]) {
      case "question":
        turns.push({
          id: `m_${number + 1}`,
          input: body.map((line) => line.replace(/^> ?/, "")).join("\n"),
          delivery: "withdrawn",
          created: now,
        });
        break;
      case "answer":
        if (turn === undefined) break;
        turn.delivery = "accepted";
        turn.answer = {
          id: `r_${number}`,
          status: "completed",
          integrity: "unchecked",
          items: [{
            index: 0,
            parts: [{
              kind: "text",
              part: 0,
              text: body.join("\n").replace(ESCAPED_MARKER, "$1"),
            }],
          }],
        };
        break;
    }
  });
  return { title: /^# (.+)$/.exec(lines[0]!)?.[1] ?? "", turns };
}
