/// <reference lib="deno.ns" />
import { MarkdownStream } from "../src/markdown/markdown-stream.ts";
import type { Block } from "../src/markdown/block.ts";
import { InlineStream, work } from "../src/markdown/inline-stream.ts";
import type { Inline } from "../src/markdown/inline.ts";
import { parseInline } from "../src/markdown/inline-parser.ts";
import { safeHref } from "../src/markdown/safe-href.ts";
import { HighlightStream } from "../src/markdown/highlight.ts";
import { equal, ok } from "./assert.ts";
import { seeded } from "./fake.ts";
import { normalize, renderHtml } from "./html.ts";

const SPEC = "/usr/share/doc/cmark-gfm/spec.txt.gz";

/** Examples of the specification, as Debian's cmark-gfm package ships them; none where that has no documentation. */
async function examples(): Promise<{ number: number; markdown: string; html: string }[]> {
  let packed: Uint8Array<ArrayBuffer>;
  try {
    packed = Deno.readFileSync(SPEC);
  } catch {
    return [];
  }
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).text();
  const pattern = /^`{32} example ?.*\n([\s\S]*?)^\.\n([\s\S]*?)^`{32}$/gm;
  return [...text.matchAll(pattern)].map((match, place) => ({
    number: place + 1,
    markdown: match[1]!.replaceAll("→", "\t"),
    html: match[2]!.replaceAll("→", "\t"),
  }));
}

/** By design: raw HTML stays text. */
const RAW_HTML = /<(?!https?:|mailto|[\w.+-]+@)[a-zA-Z!/?]/;
/** Examples of CommonMark's chapters that GFM's own autolink extension makes links of. */
const AUTOLINKED = new Set([610, 616, 619, 620]);

Deno.test("GFM's examples: all but raw HTML", async (t) => {
  const all = await examples();
  if (all.length === 0) {
    console.log(`  ${SPEC} is not here: skipped`);
    return;
  }
  const failed: number[] = [];
  let passed = 0, withHtml = 0;
  for (const { number, markdown, html } of all) {
    if (RAW_HTML.test(markdown)) withHtml++;
    if (normalize(renderHtml(markdown)) === normalize(html)) passed++;
    else if (!RAW_HTML.test(markdown) && !AUTOLINKED.has(number)) failed.push(number);
  }
  console.log(`  GFM score: ${passed} of ${all.length} examples; ${withHtml} hold raw HTML`);
  equal(failed, []);
  ok(passed >= 598);
  await t.step("and the same however they are cut", () => {
    const random = seeded(7);
    for (const { number, markdown } of all) {
      const whole = renderHtml(markdown);
      equal(renderHtml(markdown, [...markdown]), whole, `example ${number}, by characters`);
      for (let round = 0; round < 3; round++) {
        equal(renderHtml(markdown, cut(markdown, random)), whole, `example ${number}`);
      }
    }
  });
});

function cut(text: string, random: () => number): string[] {
  const pieces: string[] = [];
  for (let place = 0; place < text.length;) {
    const length = 1 + Math.floor(random() * 9);
    pieces.push(text.slice(place, place + length));
    place += length;
  }
  return pieces;
}

Deno.test("random documents agree with cmark-gfm, and with themselves however they are cut", async () => {
  const random = seeded(11);
  const parts = [
    "word",
    "two words",
    "*em*",
    "**strong**",
    "`code`",
    "[link](/u)",
    "~~gone~~",
    "\nhttps://a.example/b ",
    "- ",
    "* ",
    "1. ",
    "> ",
    "# ",
    "    ",
    "  ",
    "\n",
    "\n\n",
    "---\n",
    "```\n",
    "| a | b |\n",
    "| - | :-: |\n",
    "| 1 | 2 |\n",
    "- [ ] ",
    "- [x] ",
    "\\*",
    "&amp;",
    "[r]: /x\n",
    "[r]",
    "![i](/p)",
    "***",
    "`` ` ``",
    "=\n",
    "é🌊",
  ];
  let agreed = 0, disagreed = 0;
  const documents = Array.from({ length: 250 }, () => {
    let text = "";
    const count = 3 + Math.floor(random() * 14);
    for (let n = 0; n < count; n++) text += parts[Math.floor(random() * parts.length)];
    return text + "\n";
  });
  for (const text of documents) {
    const whole = renderHtml(text);
    equal(renderHtml(text, [...text]), whole, JSON.stringify(text));
    equal(renderHtml(text, cut(text, random)), whole, JSON.stringify(text));
    const process = new Deno.Command("cmark-gfm", {
      args: ["-e", "table", "-e", "strikethrough", "-e", "autolink", "-e", "tasklist"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
    const html = new TextDecoder().decode((await process.output()).stdout);
    if (loose(html) === loose(whole)) agreed++;
    else disagreed++;
  }
  console.log(`  ${agreed} of ${agreed + disagreed} random documents are as cmark-gfm has them`);
  ok(agreed / documents.length > 0.93, `${agreed} of ${documents.length}`);
});

function loose(html: string): string {
  return normalize(html).replace(/<input [^>]*>/g, (box) => box.includes("checked") ? "[x]" : "[ ]")
    .replace(/\s+/g, " ").replace(/> /g, ">");
}

Deno.test("nothing that was shown changes its kind: no flicker", () => {
  const text = [
    "# Title\n\nSome *text* with `code` and a [link](https://a.example).\n\n",
    "| a | b |\n| - | - |\n| 1 | 2 |\n\n- one\n- two\n  - three\n\n1. first\n2. second\n\n",
    "```swift\nlet a = 1\n```\n\n> quote\n\n---\n\n- [ ] task\n\n$$\nx^2\n$$\n\nThe end **is** near.\n",
  ].join("");
  const stream = new MarkdownStream();
  const kinds = new Map<number, string>();
  const seen: string[] = [];
  for (const character of text) {
    stream.append(character);
    visit(stream.root, (block) => {
      // A lone line that may become a table is not shown yet.
      if (block.type === "paragraph" && block.open && /^\|[^\n]*\n?$/.test(block.text)) return;
      const before = kinds.get(block.id);
      ok(before === undefined || before === block.type);
      if (before === undefined) seen.push(block.type);
      kinds.set(block.id, block.type);
    });
  }
  stream.finish();
  // Every block that was ever shown is still there.
  const left = new Set<number>();
  visit(stream.root, (block) => left.add(block.id));
  for (const id of kinds.keys()) ok(left.has(id), `block ${id} (${kinds.get(id)}) was taken back`);
  ok(seen.includes("table") && seen.includes("math") && seen.includes("rule"));
});

function visit(block: Block, see: (block: Block) => void): void {
  for (const child of block.children) {
    see(child);
    visit(child, see);
  }
}

Deno.test("marks that are still open are shown as if they were closed", () => {
  const growing = (text: string) =>
    parseInline(text, { definitions: new Map(), math: true, growing: true }).nodes;
  equal(growing("a **b"), [
    { type: "text", text: "a " },
    { type: "strong", children: [{ type: "text", text: "b" }] },
  ]);
  equal(growing("a **"), [{ type: "text", text: "a " }]);
  equal(growing("a `co"), [{ type: "text", text: "a " }, { type: "code", text: "co" }]);
  equal(growing("see [this](https://exa"), [
    { type: "text", text: "see " },
    { type: "link", href: "", title: "", children: [{ type: "text", text: "this" }] },
  ]);
  equal(growing("2 * 3"), [{ type: "text", text: "2 * 3" }]);
});

Deno.test("the cost of a character is flat", () => {
  const sentence = "The *quick* water turns the `wheel` and the stone grinds the grain. ";
  const cost = (characters: number) => {
    const stream = new MarkdownStream();
    const inline = new InlineStream();
    let text = "";
    const before = work.inlineCharacters;
    while (text.length < characters) {
      for (let place = 0; place < sentence.length; place += 4) {
        const piece = sentence.slice(place, place + 4);
        text += piece;
        stream.append(piece);
        const block = stream.root.children[0]!;
        inline.read(stream, block, block.text, true);
      }
    }
    return (work.inlineCharacters - before) / text.length;
  };
  const short = cost(4_000), long = cost(80_000);
  console.log(
    `  characters read per character: ${short.toFixed(0)} at 4 kB, ${long.toFixed(0)} at 80 kB`,
  );
  ok(long < 400 && long < short * 2.5, `${short} → ${long}`);
});

Deno.test("pieces that are settled early read the same as the whole", () => {
  const text = "A *few* words, `some code`, **strong [links](https://a.example/b)** and ~~more~~. "
    .repeat(60);
  const stream = new MarkdownStream();
  const inline = new InlineStream();
  let nodes: readonly Inline[] = [];
  for (let place = 0; place < text.length; place += 7) {
    stream.append(text.slice(place, place + 7));
    nodes = inline.read(stream, stream.root.children[0]!, stream.root.children[0]!.text, true);
  }
  stream.finish();
  const block = stream.root.children[0]!;
  nodes = inline.read(stream, block, block.text, true);
  const whole =
    parseInline(block.text, { definitions: new Map(), math: true, growing: false }).nodes;
  const flat = (list: readonly Inline[]) =>
    JSON.stringify(list).replaceAll('"},{"type":"text","text":"', "");
  equal(flat(nodes), flat(whole));
});

Deno.test("hostile texts stay text", () => {
  const hostile = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "<svg/onload=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java\nscript:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](\\j\\avascript:alert(1))",
    "[a](data:text/html,<script>alert(1)</script>)",
    "[a](vbscript:x)",
    "<javascript:alert(1)>",
    "![a](javascript:alert(1))",
    "[a]: javascript:alert(1)\n\n[a]",
    "[a](\u0001javascript:alert(1))",
    "[a](  javascript:alert(1))",
    "[a](javascript\u200b:alert(1))",
    "[a](//evil.example)",
    "[a](file:///etc/passwd)",
    "[a](blob:https://a.example/x)",
    "<a href='javascript:alert(1)'>x</a>",
    "[a](/v1/models)",
    "[a](#top)",
    "[a](notes.md)",
    "[a](&Tab;javascript:alert(1))",
  ];
  for (const text of hostile) {
    const stream = new MarkdownStream();
    stream.append(text);
    stream.finish();
    visit(stream.root, (block) => {
      if (block.type !== "paragraph") return;
      links(new InlineStream().read(stream, block, block.text, true), (href) => {
        const safe = safeHref(href);
        ok(
          safe === undefined,
          `${text} → ${safe}`,
        );
      });
    });
  }
});

function links(nodes: readonly Inline[], see: (href: string) => void): void {
  for (const node of nodes) {
    if (node.type === "link" || node.type === "image") see(node.href);
    if ("children" in node) links(node.children, see);
  }
}

Deno.test("nesting without end does not end the page", () => {
  for (
    const text of [
      "> ".repeat(5_000),
      "- ".repeat(2_000) + "x",
      "*".repeat(5_000) + "a" + "*".repeat(5_000),
      "[".repeat(20_000),
      "`".repeat(9_999),
      "![".repeat(5_000),
      "_a".repeat(30_000),
      ".".repeat(60_000),
      "http://a.b/" + ")".repeat(20_000),
      "http://a.b/" + ".".repeat(60_000) + "a",
      "http://a.b/" + "&a;".repeat(20_000),
    ]
  ) {
    const began = performance.now();
    renderHtml(text);
    ok(
      performance.now() - began < 3_000,
      `${text.slice(0, 8)}… took ${performance.now() - began} ms`,
    );
  }
});

Deno.test("emphasis is nested no deeper than a page can draw it", () => {
  const depth = (nodes: readonly Inline[]): number =>
    Math.max(0, ...nodes.map((node) => "children" in node ? 1 + depth(node.children) : 0));
  const many = 1_000;
  for (
    const [open, close] of [["*".repeat(many), "*".repeat(many)], [
      "*a ".repeat(many),
      " a*".repeat(many),
    ]]
  ) {
    for (const growing of [false, true]) {
      const options = { definitions: new Map(), math: false, growing };
      const { nodes } = parseInline(`${open}x${close}`, options);
      ok(depth(nodes) > 50 && depth(nodes) <= 200, `${depth(nodes)} deep`);
    }
  }
});

Deno.test("code is coloured line by line, the same however it is cut", () => {
  const code = '/* a\n b */ let x = "s\\"t"; // c\nfunc f(_ n: Int) -> String { return "\\(n)" }\n';
  const whole = new HighlightStream("swift");
  whole.read(code);
  const slow = new HighlightStream("swift");
  for (let length = 1; length <= code.length; length++) slow.read(code.slice(0, length));
  const dosed = new HighlightStream("swift");
  for (let most = 1; most < whole.lines.length; most++) {
    equal(dosed.read(code, most), undefined);
    equal(dosed.lines.length, most);
  }
  equal(dosed.read(code, whole.lines.length), []);
  equal(dosed.lines, whole.lines);
  equal(slow.lines, whole.lines);
  equal(
    whole.lines.map((line) => line.map((token) => token.text).join("")).join("\n") + "\n",
    code,
  );
  ok(whole.lines[1]!.some((token) => token.kind === "keyword" && token.text === "let"));
});
