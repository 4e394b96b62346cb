/// <reference lib="deno.ns" />
import { applyItem } from "../src/core/output-item.ts";
import { CitationMarks, sourcesOf } from "../src/core/citations.ts";
import type { UpstreamObject } from "../src/core/protocol.ts";
import type { Answer, OutputItem } from "../src/core/turn.ts";
import { MarkdownStream } from "../src/markdown/markdown-stream.ts";
import { equal, ok } from "./assert.ts";
import { seeded } from "./fake.ts";
import { blocksHtml, renderHtml } from "./html.ts";

/** The text with `¹`…`⁹` taken out, and marks of those numbers where they stood. */
function marked(text: string) {
  const marks: { at: number; number: number }[] = [];
  let plain = "";
  for (const character of text) {
    const number = "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(character);
    if (number > 0) marks.push({ at: plain.length, number });
    else plain += character;
  }
  return { plain, marks };
}

const PLACES: readonly [string, string, string][] = [
  ["in a paragraph", "One¹ and two.²", "<p>One[1] and two.[2]</p>"],
  ["two at one place", "Both.¹²", "<p>Both.[1][2]</p>"],
  ["at a soft and a hard break", "one¹\ntwo²  \nthree", "<p>one[1]\ntwo[2]<br>\nthree</p>"],
  ["in emphasis", "*all¹ this* **too²**", "<p><em>all[1] this</em> <strong>too[2]</strong></p>"],
  ["behind its closing marks", "**bold**¹ on", "<p><strong>bold</strong>[1] on</p>"],
  ["behind a code span", "`a¹b` c", "<p><code>ab</code>[1] c</p>"],
  [
    "behind a link",
    "([host](http://h.example/))¹",
    '<p>(<a href="http://h.example/">host</a>)[1]</p>',
  ],
  [
    "behind a link, from its words, bold ones too, and its address",
    "[w**or¹d**s](http://h.example/a²b) end",
    '<p><a href="http://h.example/ab">w<strong>ord</strong>s</a>[1][2] end</p>',
  ],
  [
    "behind an image",
    "![al¹t](http://h.example/)",
    '<p><img src="http://h.example/" alt="alt">[1]</p>',
  ],
  [
    "behind a bare address",
    "see http://h.example/x¹, then",
    '<p>see <a href="http://h.example/x">http://h.example/x</a>[1], then</p>',
  ],
  ["behind an escape and an entity", "a\\*¹ &am²p; b", "<p>a*[1] &amp;[2] b</p>"],
  ["in a heading", "# Head¹ line ²", "<h1>Head[1] line[2]</h1>"],
  ["in a heading with a line below", "Head¹\nline²\n===", "<h1>Head[1]\nline[2]</h1>"],
  ["in a list", "- a¹\n- b\n  - c²", "<ul><li>a[1]</li><li>b\n<ul><li>c[2]</li></ul></li></ul>"],
  [
    "in a task",
    "- [x] done¹",
    '<ul><li><input checked="" disabled="" type="checkbox"> done[1]</li></ul>',
  ],
  ["in a quote, in a lazy line too", "> a¹\nb²", "<blockquote><p>a[1]\nb[2]</p></blockquote>"],
  [
    "in a table",
    "| h¹ | i |\n|---|---|\n| a \\| b² | c³ |",
    "<table><thead><tr><th>h[1]</th><th>i</th></tr></thead>" +
    "<tbody><tr><td>a | b[2]</td><td>c[3]</td></tr></tbody></table>",
  ],
  [
    "in a paragraph whose last line became a table",
    "words¹\nh² | i\n--|--\na | b³",
    "<p>words[1]</p><table><thead><tr><th>h[2]</th><th>i</th></tr></thead>" +
    "<tbody><tr><td>a</td><td>b[3]</td></tr></tbody></table>",
  ],
  [
    "behind code",
    "a\n\n```\nx¹ = 1\n```\n\nb²",
    "<p>a</p><pre><code>x = 1\n</code></pre>\n[1]<p>b[2]</p>",
  ],
  [
    "behind a definition",
    "[a]: http://h.example/\nand [a]¹ more",
    '<p>and <a href="http://h.example/">a</a>[1] more</p>',
  ],
  ["with other ends of lines", "one\r\ntwo¹\r\rthree²\r\n", "<p>one\ntwo[1]</p><p>three[2]</p>"],
  ["behind pairs of surrogates", "🌊🌊 mill¹ 🌊²", "<p>🌊🌊 mill[1] 🌊[2]</p>"],
];

const flat = (html: string) =>
  html.replace(/ \/>/g, ">").replace(/>\n</g, "><").replace(/<li>\n/g, "<li>").trim();

for (const [name, text, html] of PLACES) {
  Deno.test(`citations: marks ${name}`, () => {
    const { plain, marks } = marked(text);
    // A mark behind white space does not reach the Markdown: `CitationMarks` moves it.
    const moved = marks.map(({ at, number }) => ({
      at: plain.slice(0, at).trimEnd().length,
      number,
    }));
    equal(flat(renderHtml(plain, [plain], moved)), flat(html));
    equal(flat(renderHtml(plain, [...plain.match(/[\s\S]/g)!], moved)), flat(html));
  });
}

Deno.test("citations: marks end where they belong, whenever they and the text come", () => {
  const random = seeded(3);
  const { plain, marks } = marked(
    PLACES.map(([, text]) => text).join("\n\n").replaceAll("\r", "\n"),
  );
  const whole = renderHtml(plain, [plain], marks);
  for (let round = 0; round < 60; round++) {
    const stream = new MarkdownStream({ math: false });
    for (let place = 0; place < plain.length;) {
      const length = 1 + Math.floor(random() * 40);
      stream.append(plain.slice(place, place + length));
      place += length;
      const known = Math.floor(random() * marks.length);
      if (random() < 0.5) stream.mark(marks.slice(0, known));
      stream.publish();
    }
    stream.mark(marks);
    stream.finish();
    stream.publish();
    equal(blocksHtml(stream), whole, `round ${round}`);
  }
});

Deno.test("citations: a token touches no more blocks because of marks before it", () => {
  const stream = new MarkdownStream();
  const marks: { at: number; number: number }[] = [];
  let text = "", touched = 0, pieces = 0;
  for (let paragraph = 0; paragraph < 200; paragraph++) {
    for (let word = 0; word < 20; word++) {
      stream.append("water ");
      text += "water ";
      touched += stream.publish();
      pieces++;
    }
    marks.push({ at: text.length - 1, number: 1 + paragraph % 7 });
    stream.mark([...marks]);
    touched += stream.publish();
    stream.append("\n\n");
    text += "\n\n";
    touched += stream.publish();
  }
  ok(touched / pieces <= 2, `${touched} blocks touched by ${pieces} pieces`);
});

// MARK: annotations

function answerOf(
  text: string,
  annotations: UpstreamObject[],
): { answer: Answer; item: OutputItem } {
  const item: OutputItem = { index: 0, parts: [{ kind: "text", part: 0, text }], annotations };
  return { item, answer: { id: "r", status: "in_progress", integrity: "pending", items: [item] } };
}

const citation = (url: string, start_index: number, end_index: number) => ({
  type: "url_citation",
  url,
  title: `About ${url}`,
  start_index,
  end_index,
});

function placesOf(text: string, ...annotations: UpstreamObject[]) {
  const { answer, item } = answerOf(text, annotations);
  return new CitationMarks().read(answer, item, item.parts[0]!).map(({ at, number }) =>
    `${text.slice(0, at)}[${number}]`
  );
}

Deno.test("citations: an index counts code points, or UTF-16 units where only those fit", () => {
  const text = "🌊🌊 Water ([a](http://a.example/)) flows.";
  const points = [...text].join("").indexOf(" flows") - 2; // Two pairs stand before it.
  const right = "🌊🌊 Water ([a](http://a.example/))[1]";
  equal(placesOf(text, citation("http://a.example/", points - 24, points)), [right]);
  equal(placesOf(text, citation("http://a.example/", points - 22, points + 2)), [right]);
});

Deno.test("citations: a mark stands behind a word, not in it and not behind white space", () => {
  equal(placesOf("Water flows.\n\nOn.", citation("http://a.example/", 0, 14)), ["Water flows.[1]"]);
  equal(placesOf("Water flows.", citation("http://a.example/", 0, 3)), ["Water[1]"]);
  equal(placesOf("水は流れる。", citation("http://a.example/", 0, 3)), ["水は流[1]"]);
});

Deno.test("citations: sources are numbered once, and those without a place have no mark", () => {
  const annotations = [
    {
      type: "container_file_citation",
      file_id: "f0",
      filename: "plot.png",
      start_index: 0,
      end_index: 0,
    },
    citation("http://a.example/", 0, 5),
    { type: "file_citation", file_id: "f1", filename: "mill.pdf", index: 11 },
    citation("http://a.example/", 6, 11),
  ];
  equal(placesOf("Water flows.", ...annotations), ["Water[2]", "Water flows[2]", "Water flows[3]"]);
  const { answer } = answerOf("Water flows.", annotations);
  equal(sourcesOf(answer).map(({ number, title, host }) => ({ number, title, host })), [
    { number: 1, title: "plot.png", host: "" },
    { number: 2, title: "About http://a.example/", host: "a.example" },
    { number: 3, title: "mill.pdf", host: "" },
  ]);
});

Deno.test("citations: an annotation may come before its text, and belongs to its own part", () => {
  const { answer, item } = answerOf("🌊 Wa", [
    citation("http://a.example/", 0, 7),
    { ...citation("http://b.example/", 0, 2), part: 1 },
  ]);
  item.parts.push({ kind: "text", part: 1, text: "Go on" });
  const [first, second] = [new CitationMarks(), new CitationMarks()];
  equal(first.read(answer, item, item.parts[0]!), []);
  item.parts[0]!.text += "ter flows";
  equal(first.read(answer, item, item.parts[0]!), [{ at: 8, number: 1 }]);
  equal(second.read(answer, item, item.parts[1]!), [{ at: 2, number: 2 }]);
});

Deno.test("citations: what is no object in a finished item says nothing, and counts as a part", () => {
  const item: OutputItem = { index: 0, parts: [] };
  const annotations = [null, { type: "url_citation", url: "http://a.example/", end_index: 2 }];
  const content = [null, { type: "output_text", text: "so", annotations }, "odd"];
  applyItem(item, { index: 0, item: { type: "message", content, summary: [null] } }, 1);
  equal(item.parts.map(({ part, text }) => [part, text]), [[1, "so"]]);
  const answer = { id: "r", status: "completed", items: [item], integrity: "unchecked" } as const;
  equal(sourcesOf({ ...answer, items: [item] }).map(({ host }) => host), ["a.example"]);
});
