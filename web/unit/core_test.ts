/// <reference lib="deno.ns" />
import { allowedOptions } from "../src/core/allowed-options.ts";
import { JsonStream } from "../src/core/partial-json.ts";
import { sha256Hex } from "../src/core/sha256.ts";
import { decodeFrames, FrameError } from "../src/core/protocol.ts";
import { exportMarkdown } from "../src/core/conversation-markdown.ts";
import { exportJson, importConversation, titleOf } from "../src/core/conversations.ts";
import { answerText, inputText, type Turn } from "../src/core/turn.ts";
import { catalogues, chooseLocale, translate } from "../src/i18n/translate.ts";
import type { MessageKey } from "../src/i18n/en.ts";
import { encodedBytes, fits, room_bytes } from "../src/ui/attachments.ts";
import { equal, ok } from "./assert.ts";
import { seeded } from "./fake.ts";
import type { ReadyFrame } from "../src/core/protocol.ts";
import { SessionPlace } from "../src/core/session-place.ts";

Deno.test("SHA-256 as FIPS 180-4 has it", async () => {
  equal(sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  equal(sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  for (const length of [55, 56, 63, 64, 65, 119, 120, 1_000, 70_001]) {
    const text = "é🌊a".repeat(length).slice(0, length);
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join(
      "",
    );
    equal(sha256Hex(text), hex, `${length}`);
  }
});

Deno.test("partial JSON: every prefix is a beginning of the whole", () => {
  const value = {
    "a": [1, -2.5e3, true, false, null, 'x\n"y" é \u{1F30A}'],
    "b": { "deep": [[[]], {}], "": 0 },
    "long": "z".repeat(50),
  };
  for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
    const random = seeded(3);
    for (let length = 1; length < text.length; length++) {
      const stream = new JsonStream();
      for (let place = 0; place < length;) {
        const step = 1 + Math.floor(random() * 5);
        stream.append(text.slice(place, Math.min(length, place + step)));
        place += step;
      }
      equal(stream.failedAt, undefined, text.slice(0, length));
      ok(!stream.complete);
    }
    const stream = new JsonStream();
    stream.append(text);
    stream.finish();
    ok(stream.complete);
    equal(stream.root!.value, value);
  }
});

Deno.test("partial JSON: what is no JSON is called that, where it stops being it", () => {
  for (
    const [text, place] of [["{a", 1], ["[1,]", 3], ["tru3", 3], ["{} x", 3], ['"\n', 1], [
      "[01]",
      3,
    ], ["nulll", 4]] as const
  ) {
    const stream = new JsonStream();
    stream.append(text);
    equal(stream.failedAt, place, text);
  }
});

Deno.test("frames: several in one text, unknown ones kept, broken ones refused", () => {
  const frames = decodeFrames('{"type":"pong"}\n\n{"type":"later","seq":4,"x":1}\n');
  equal(frames.map((frame) => frame.type), ["pong", "unknown"]);
  equal((frames[1] as { seq: number }).seq, 4);
  for (
    const text of [
      "x",
      "3",
      "[]",
      '{"seq":1}',
      '{"type":"item","seq":1,"response":"r"}',
      '{"type":"delta","seq":2,"from":3,"response":"r","index":0,"kind":"text","text":""}',
    ]
  ) {
    let refused = false;
    try {
      decodeFrames(text);
    } catch (error) {
      refused = error instanceof FrameError;
    }
    ok(refused, text);
  }
});

Deno.test("catalogues: the same keys, the same places, and forms for every number", () => {
  const en = catalogues.en;
  const places = (message: string) => [...new Set(message.match(/\{\w+\}/g) ?? [])].sort().join();
  for (const [locale, catalogue] of Object.entries(catalogues)) {
    equal(Object.keys(catalogue).sort(), Object.keys(en).sort(), locale);
    for (const [key, message] of Object.entries(catalogue)) {
      ok(message.trim() !== "", `${locale} ${key}`);
      equal(places(message), places(en[key as MessageKey]), `${locale} ${key}`);
    }
  }
  equal(translate("en", "json.items", { count: 1 }), "1 item");
  equal(translate("de", "json.items", { count: 2 }), "2 Einträge");
  equal(translate("ar", "json.items", { count: 2 }), "عنصران");
  equal(chooseLocale(["fr-FR", "de-AT"]), "de");
  equal(chooseLocale([]), "en");
});

Deno.test("catalogues: every message is used", () => {
  const sources: string[] = [];
  const read = (directory: URL) => {
    for (const entry of Deno.readDirSync(directory)) {
      const place = new URL(entry.isDirectory ? `${entry.name}/` : entry.name, directory);
      if (entry.isDirectory) read(place);
      else sources.push(Deno.readTextFileSync(place));
    }
  };
  read(new URL("../src/ui/", import.meta.url));
  const text = sources.join();
  // Names that are put together when they are needed, from what the gateway says.
  const composed = /^(state|problem|tool|end\.\w+By|link)\./;
  const unused = Object.keys(catalogues.en).filter((key) =>
    !composed.test(key) && !text.includes(`"${key}"`)
  );
  equal(unused, []);
});

Deno.test("options: what was chosen goes along as far as the gateway allows it", () => {
  const chosen = { model: "a", temperature: 0.5, text: { verbosity: "low" } };
  equal(allowedOptions(chosen, undefined), chosen);
  equal(allowedOptions(chosen, {}), chosen);
  equal(allowedOptions(chosen, { allow: ["model", "text"] }), {
    model: "a",
    text: { verbosity: "low" },
  });
  equal(allowedOptions(chosen, { allow: ["model"], models: ["b", "a"], model: "b" }), {
    model: "a",
  });
  equal(allowedOptions(chosen, { allow: ["model"], models: ["b"], model: "b" }), {});
  equal(allowedOptions({ model: "b" }, { allow: [], models: ["b"] }), {});
});

Deno.test("conversations: titles, and a round trip through a file", () => {
  const turns: Turn[] = [{
    id: "m1",
    input: "How does\na mill work?",
    delivery: "accepted",
    created: 1,
    answer: {
      id: "r1",
      status: "in_progress",
      integrity: "pending",
      items: [{ index: 0, parts: [{ kind: "text", part: 0, text: "By water." }] }],
    },
  }];
  equal(titleOf(turns), "How does");
  const conversation = { id: "c1", title: "Mills", created: 1, updated: 2 };
  equal(
    exportMarkdown(conversation, turns),
    "# Mills\n\n<!-- question -->\n\n> How does\n> a mill work?\n\n<!-- answer -->\n\nBy water.\n",
  );
  const item = turns[0]!.answer!.items[0]!;
  item.annotations = [
    { type: "url_citation", url: "http://a.example/(1)", title: "On [mills]", end_index: 9 },
    { type: "file_citation", file_id: "f", filename: "mill.pdf", index: 9 },
  ];
  ok(
    exportMarkdown(conversation, turns).endsWith(
      "By water.\n\n<!-- sources -->\n\n1. [On \\[mills\\]](<http://a.example/(1)>)\n2. mill.pdf\n",
    ),
  );
  const read = importConversation(exportJson(conversation, turns), "c2", 5);
  equal(read.conversation.title, "Mills");
  equal(read.session.turns[0]!.answer?.status, "interrupted");
  equal(read.session.unknown_turns, 1);
  ok(!JSON.stringify(exportJson(conversation, turns)).includes("token"));
  let refused = false;
  try {
    importConversation("{}", "c3", 0);
  } catch {
    refused = true;
  }
  ok(refused);
});

Deno.test("conversations: a file whose turns are none is refused as a whole", () => {
  const answer = { id: "r", status: "completed", items: [] };
  const said = { index: 0, parts: [{ kind: "text", part: 0, text: "so" }] };
  const read = (...turns: unknown[]) => {
    const file = { format: "millrace.conversation", version: 1, turns };
    return importConversation(JSON.stringify(file), "c", 5).session.turns;
  };
  const input = [{ role: "user", content: "q" }];
  const good = { id: "m", input, delivery: "accepted", created: 1 };
  const drawn = { __v_isVNode: true, type: "a", props: { href: "https://evil.example" } };
  const tool = { kind: "mcp", status: "completed", arguments: "{}" };
  equal(
    read({ ...good, delivery: "somehow", stopping: true, answer: { ...answer, items: [said] } }),
    [{ ...good, answer: { ...answer, items: [said], integrity: "unchecked" } }],
  );
  const bad: object[] = [
    { id: 1 },
    { input: 5 },
    { input: [null] },
    { created: "yesterday" },
    { options: [] },
    { answer: "so" },
    { answer: { ...answer, id: 1 } },
    { answer: { ...answer, status: undefined } },
    { answer: { ...answer, items: {} } },
    { answer: { ...answer, items: [null] } },
    { answer: { ...answer, items: [{ ...said, index: "0" }] } },
    { answer: { ...answer, items: [{ index: 0 }] } },
    { answer: { ...answer, items: [{ index: 0, parts: [{ kind: "text", part: 0 }] }] } },
    { answer: { ...answer, items: [{ ...said, annotations: [null] }] } },
    { answer: { ...answer, items: [{ ...said, tool: { kind: "mcp", status: "completed" } }] } },
    { answer: { ...answer, seams: [null] } },
    { answer: { ...answer, complete: "so" } },
    { alternatives: 5 },
    { alternatives: [[]] },
    { alternatives: [[{ ...good, input: 5 }]] },
    { alternatives: [[good]], version: 2 },
    { alternatives: [[good]], version: "1" },
    // The page draws what it is told to be words: an object there might be taken for something to draw.
    { input_bytes: drawn },
    { problem: { code: "x", message: drawn } },
    { answer: { ...answer, model: drawn } },
    { answer: { ...answer, seams: [{ index: 0, reason: drawn }] } },
    { answer: { ...answer, complete: { reason: drawn } } },
    { answer: { ...answer, complete: { error: { code: "x", message: drawn } } } },
    { answer: { ...answer, complete: { error: { code: drawn, message: "x" } } } },
    { answer: { ...answer, complete: { usage: { input_tokens: drawn } } } },
    { answer: { ...answer, complete: { timing: { first_text_ms: "x" } } } },
    { answer: { ...answer, items: [{ ...said, arrived: drawn }] } },
    { answer: { ...answer, items: [{ ...said, partial_image: drawn }] } },
    { answer: { ...answer, items: [{ ...said, began: drawn }] } },
    { answer: { ...answer, items: [{ index: 0, parts: [{ ...said.parts[0], part: drawn }] }] } },
    { answer: { ...answer, items: [{ ...said, tool: { ...tool, name: drawn } }] } },
  ];
  for (const part of bad) {
    let refused: unknown;
    try {
      read(good, { ...good, id: "n", ...part });
    } catch (error) {
      refused = error;
    }
    ok(refused instanceof TypeError, JSON.stringify(part));
  }
});

Deno.test("conversations: what a file calls verified is not, and what it calls wrong still is", () => {
  const read = (integrity: string) => {
    const items = [{ index: 0, parts: [{ kind: "text", part: 0, text: "so" }] }];
    // Upstream says of what it has not that it is null.
    const complete = { usage: { output_tokens: 1, input_tokens_details: null }, error: null };
    const answer = { id: "r", status: "completed", items, integrity, complete };
    const turns = [{ id: "m", input: "q", delivery: "accepted", created: 1, answer }];
    const file = { format: "millrace.conversation", version: 1, turns };
    return importConversation(JSON.stringify(file), "c", 5).session.turns[0]!.answer!.integrity;
  };
  equal(["verified", "pending", "mismatch"].map(read), ["unchecked", "unchecked", "mismatch"]);
});

Deno.test("conversations: what was said comes back from Markdown as it was", () => {
  const said: [string, string | undefined][] = [
    ["How does\n\na mill work?", "> By water.\n\nThat is all.\n"],
    ["", "An answer to a picture"],
    [
      "> quoted\n<!-- answer -->",
      "<!-- question -->\n\\<!-- answer -->\n\n```\n<!-- sources -->\n```",
    ],
    ["Never sent", undefined],
  ];
  const turns = said.map(([input, text], place): Turn => ({
    id: `m${place}`,
    input,
    delivery: "accepted",
    created: 1,
    ...(text === undefined ? {} : {
      answer: {
        id: `r${place}`,
        status: "completed",
        integrity: "verified",
        items: [{ index: 0, parts: [{ kind: "text", part: 0, text }] }],
      },
    }),
  }));
  const file = exportMarkdown({ title: "Mills" }, turns);
  for (const text of [file, file.replaceAll("\n", "\r\n")]) {
    const { conversation, session } = importConversation(text, "c2", 5);
    equal(conversation.title, "Mills");
    equal(session.unknown_turns, 4);
    equal(
      session.turns.map((turn) => [inputText(turn.input), turn.answer && answerText(turn.answer)]),
      said,
    );
    equal(
      session.turns.map((turn) => turn.delivery).join(),
      "accepted,accepted,accepted,withdrawn",
    );
  }
});

Deno.test("attachments are counted before they are sent", () => {
  ok(encodedBytes(3) >= 4);
  const limit = 8 << 20;
  const room = room_bytes([], limit);
  ok(room > 0 && room < limit);
  ok(encodedBytes(1_000_000) < room && encodedBytes(limit) > room);
  const part = { type: "input_file" };
  const one = { id: 1, name: "plan.pdf", bytes: 3_000_000, part };
  equal(room_bytes([one, one], limit), room - 2 * encodedBytes(one.bytes));
  // A gateway may allow as little as a kilobyte: somebody can write all the same.
  ok(
    fits("a".repeat(500), room_bytes([], 1_024)) && !fits("a".repeat(1_024), room_bytes([], 1_024)),
  );
  // A text counts as it is sent, not by its characters.
  ok(fits("a".repeat(9), 9) && !fits("a".repeat(10), 9));
  ok(fits("水".repeat(3), 9) && !fits("水".repeat(4), 9));
});

Deno.test("the place in the log: one event after the other, forward only", () => {
  const place = new SessionPlace();
  place.adopt(undefined);
  equal(place.resume, undefined);
  place.enter(ready(0));
  equal([place.advance({ seq: 1 }), place.advance({ seq: 4, from: 2 })], [true, true]);
  equal([place.advance({ seq: 4 }), place.advance({ seq: 6 }), place.jump(3)], [
    false,
    false,
    false,
  ]);
  equal(place.resume, { token: "t", after: 4 });
  equal(place.isContinued(ready(4), { token: "t", after: 4 }), true);
  equal(place.isContinued(ready(3), { token: "t", after: 4 }), false);
  equal(place.isContinued({ ...ready(9), epoch: "f" }, { token: "t", after: 4 }), false);
  equal(place.jump(9) && place.seq, 9);
  const kept = { version: 1 as const, turns: [], saved: 0, ...place.stored() };
  const again = new SessionPlace();
  again.adopt(kept);
  equal(again.stored(), place.stored());
  place.leave(2);
  equal(place.stored(), { generation: 1, seq: 0, unknown_turns: 2 });
});

function ready(seq: number): ReadyFrame {
  const [session, epoch, resume_token] = ["s", "e", "t"];
  return { type: "ready", session, epoch, seq, resume_token, recovered: true };
}
