/// <reference lib="deno.ns" />
import { effectScope, nextTick } from "vue";
import { ConversationSearch } from "../src/core/conversation-search.ts";
import type { Conversation } from "../src/core/conversations.ts";
import { foldCase, markWords, searchWords, snippetAround } from "../src/core/marked-text.ts";
import { MemoryStore } from "../src/core/store.ts";
import { CONVERSATION_CHARACTERS, textPieces } from "../src/core/text-pieces.ts";
import type { Turn } from "../src/core/turn.ts";
import { useConversations } from "../src/vue/useConversations.ts";
import { equal, ok } from "./assert.ts";
import { FakeWorld, seeded } from "./fake.ts";

function turn(id: string, input: string, answer: string): Turn {
  return {
    id,
    input,
    delivery: "accepted",
    created: 1,
    answer: {
      id: `r_${id}`,
      status: "completed",
      integrity: "verified",
      items: [{ index: 0, parts: [{ kind: "text", part: 0, text: answer }] }],
    },
  };
}

function conversation(id: string, title: string, updated = 1): Conversation {
  return { id, title, created: 1, updated };
}

const text = (parts: readonly { text: string }[]) => parts.map((part) => part.text).join("");
const marks = (parts: readonly { text: string; match: boolean }[]) =>
  parts.filter(({ match }) => match).map((part) => part.text);

Deno.test("search: a word is found in titles and in what was said, and marked where it stands", () => {
  const search = new ConversationSearch();
  const list = [
    conversation("a", "Water mills"),
    conversation("b", "Bread"),
    conversation("c", ""),
  ];
  search.add("a", textPieces([turn("1", "How do they work?", "The **Race** leads to the wheel.")]));
  search.add(
    "b",
    textPieces([turn("2", "Which flour?", "From the mill: `rye`, said the MILLER.")]),
  );

  const found = (query: string) => search.find(list, query).map((each) => each.conversation.id);
  equal(found(""), ["a", "b", "c"]);
  equal(found("  "), ["a", "b", "c"]);
  equal(found("MILL"), ["a", "b"]);
  equal(found("race wheel"), ["a"]);
  // One word of the title, the other of the text.
  equal(found("bread rye"), ["b"]);
  equal(found("bread wheel"), []);

  const [mills, bread] = search.find(list, "mill");
  equal(marks(mills!.title), ["mill"]);
  equal(mills!.snippet, undefined);
  equal(bread!.snippet!.turn, "2");
  equal(marks(bread!.snippet!.parts), ["mill", "MILL"]);
  equal(text(bread!.snippet!.parts), "From the mill: rye, said the MILLER.");
  // A phrase is shown as a phrase where there is one.
  equal(marks(search.find(list, "the wheel")[0]!.snippet!.parts).slice(0, 2), ["The", "the"]);

  search.remove("b");
  equal(found("rye"), []);
});

Deno.test("search: marks lose nothing and add nothing", () => {
  const random = seeded(11);
  const alphabet = ["a", "B", "ab", " ", "é", "İ", "ß", "🌊", "\n", "水", "ا"];
  const word = (length: number) =>
    Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
  for (let round = 0; round < 2_000; round++) {
    const whole = word(1 + Math.floor(random() * 60));
    const words = searchWords(`${word(1)} ${word(2)}`);
    equal(foldCase(whole).length, whole.length);
    const parts = markWords(whole, words);
    equal(text(parts), whole);
    for (const match of marks(parts)) ok(words.includes(foldCase(match)), `${match} of ${words}`);
    const at = foldCase(whole).indexOf(words[0] ?? " ");
    if (at < 0) continue;
    const snippet = text(snippetAround(whole.repeat(9), at, words));
    ok(snippet.isWellFormed(), snippet);
    ok(!snippet.includes("\n") || words.some((each) => each.includes("\n")));
  }
});

Deno.test("search: a snippet is short, whole words, and says that it was cut", () => {
  const long = `${"before ".repeat(40)}needle ${"after ".repeat(90)}`;
  const parts = snippetAround(long, long.indexOf("needle"), ["needle"]);
  equal(parts[0]!.text, "…");
  equal(parts.at(-1)!.text, "…");
  ok(/^…(before )+needle (after )+/.test(text(parts)), text(parts));
  ok(text(parts).length < 170);
  const markdown =
    "## Head\n\n> | a | b |\n| --- | --- |\n- [x] done `code` [link](https://a.example) end";
  equal(text(snippetAround(markdown, 3, ["head"])).trim(), "Head a b done code link end");
});

Deno.test("search: of each message the last attempt, of a long conversation the newest text", () => {
  const failed = turn("m", "Why?", "half");
  const retried = turn("m:2", "Why?", "whole");
  equal(textPieces([failed, retried]), [
    { turn: "m:2", text: "Why?" },
    { turn: "m:2", text: "whole" },
  ]);
  const long = Array.from({ length: 20 }, (_, n) => turn(`t${n}`, `q${n}`, "x".repeat(10_000)));
  const pieces = textPieces(long);
  equal(pieces.at(-1)!.turn, "t19");
  equal(pieces.reduce((sum, piece) => sum + piece.text.length, 0), CONVERSATION_CHARACTERS);
});

Deno.test("search: what is held is bounded, and what has no room is left out", () => {
  const search = new ConversationSearch(1_000);
  ok(search.add("a", [{ turn: "1", text: "x".repeat(600) }]));
  ok(!search.add("b", [{ turn: "2", text: "x".repeat(600) }]));
  ok(search.add("c", [{ turn: "3", text: "y".repeat(400) }]));
  // Its own old text makes room.
  ok(search.add("a", [{ turn: "1", text: "z".repeat(600) }]));
  equal(search.find([conversation("a", ""), conversation("c", "")], "x").length, 0);
  search.clear();
  ok(search.add("b", [{ turn: "2", text: "x".repeat(1_000) }]));
});

Deno.test("search: five hundred conversations are looked through between two key strokes", () => {
  const search = new ConversationSearch();
  const words = "water wheel stone river grain flour miller race sluice bridge willow evening"
    .split(" ");
  const random = seeded(3);
  const list = Array.from({ length: 500 }, (_, n) => conversation(`c${n}`, `Title ${n}`));
  for (const { id } of list) {
    const said = Array.from({ length: 3_000 }, () => words[Math.floor(random() * words.length)]);
    if (id === "c499") said.push("needle");
    search.add(id, [{ turn: "t", text: said.join(" ") }]);
  }
  for (
    const [query, count] of [["needle", 1], ["nothing", 0], ["w", 500], [
      "mill river",
      500,
    ]] as const
  ) {
    const began = performance.now();
    equal(search.find(list, query).length, count);
    const took = performance.now() - began;
    console.log(`500 conversations of 20 kB, ${JSON.stringify(query)}: ${took.toFixed(1)} ms`);
    ok(took < 500, `${query}: ${took} ms`);
  }
});

Deno.test("search: texts are read when a search begins, fifty at once, and let go when it ends", async () => {
  const world = new FakeWorld(2);
  const asked: number[] = [];
  const sessions = Object.assign(new MemoryStore(), {
    texts(keys: readonly string[]) {
      asked.push(keys.length);
      return new Map(keys.map((key) => [key, [{ turn: "t", text: `the text of ${key}` }]]));
    },
  });
  const scope = effectScope();
  await scope.run(async () => {
    const { update, query, found, searching, remove } = useConversations({
      sessions,
      channel: null,
      environment: world,
    });
    for (let n = 0; n < 120; n++) update(`c${n}`, { title: `Chat ${n}`, updated: n });
    const settle = async () => {
      await nextTick();
      while (searching.value) await new Promise((resolve) => setTimeout(resolve));
    };
    await settle();
    equal([found.value.length, asked], [120, []]);
    query.value = "text c11";
    await settle();
    equal(asked, [50, 50, 20]);
    equal(found.value[0]!.conversation.id, "c119");
    equal(found.value.length, 11); // 11, 110…119
    // Another word needs no other reading, and a change only what has changed.
    query.value = "text c7";
    await settle();
    equal(asked.length, 3);
    update("c7", { title: "Seven" });
    await settle();
    equal(asked, [50, 50, 20, 1]);
    void remove("c7");
    await settle();
    ok(!found.value.some((each) => each.conversation.id === "c7"));
    query.value = "";
    await settle();
    query.value = "x";
    await settle();
    equal(asked.length, 4 + 3);
  });
  scope.stop();
});

Deno.test("search: a store that cannot tell texts is asked for sessions", async () => {
  const sessions = new MemoryStore();
  const turns = [turn("1", "Where?", "By the willow.")];
  sessions.save("a", { version: 1, generation: 0, seq: 0, turns, unknown_turns: 0, saved: 1 });
  const { update, query, found, searching } = useConversations({ sessions, channel: null });
  update("a", { title: "Trees" });
  update("b", { title: "Nothing kept" });
  query.value = "willow";
  await nextTick();
  while (searching.value) await new Promise((resolve) => setTimeout(resolve));
  equal(found.value.map((each) => each.conversation.id), ["a"]);
  equal(marks(found.value[0]!.snippet!.parts), ["willow"]);
});
