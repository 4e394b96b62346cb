/// <reference lib="deno.ns" />
import { type MathNode, toCore } from "../src/ui/mathml-core.ts";
import katex from "../vendor/katex-0.16.22.cjs";
import { equal, ok } from "./assert.ts";

/** What is drawn of a formula. */
function drawn(source: string): string {
  const tree = katex.__renderToDomTree(source, { output: "mathml", displayMode: true }) as
    & MathNode
    & { toMarkup(): string };
  toCore(tree);
  const markup = tree.toMarkup().replace(/<annotation.*<\/annotation>/, "");
  // KaTeX puts it last, in its own way.
  return markup.replace(/<(\w+)([^>]*?) class ="([^"]*)"/g, '<$1 class="$3"$2');
}

function letters(source: string): string {
  return drawn(source).replace(/<[^>]*>/g, "");
}

Deno.test("letters of other alphabets are letters of their own", () => {
  equal(letters(String.raw`\mathbb{ARZ1}`), "𝔸ℝℤ𝟙");
  equal(letters(String.raw`\mathcal{LXYZ}\mathscr{B}`), "ℒ𝒳𝒴𝒵ℬ");
  equal(letters(String.raw`\mathfrak{gZ}`), "𝔤ℨ");
  equal(letters(String.raw`\mathbf{xX09}\boldsymbol{\alpha\omega}`), "𝐱𝐗𝟎𝟗𝜶𝝎");
  equal(letters(String.raw`\mathsf{aZ}\mathtt{x7}`), "𝖺𝖹𝚡𝟽");
  // What has no letter there stays as it is.
  equal(letters(String.raw`\mathbf{\varphi +}\mathbb{+}`).replace(/[^+]/g, ""), "++");
  ok(drawn(String.raw`\mathrm{d}x`).includes('mathvariant="normal"'));
});

Deno.test("what encloses has its name as a class, and no style", () => {
  ok(drawn(String.raw`\boxed{42}`).includes('<mrow class="framed">'));
  ok(drawn(String.raw`\cancel{x}`).includes('<mrow class="updiagonalstrike">'));
  ok(drawn(String.raw`\begin{array}{|c|}x\end{array}`).includes('<mrow class="left right">'));
  const box = drawn(String.raw`\fcolorbox{red}{yellow}{q}\colorbox{yellow}{r}`);
  ok(box.includes('<mrow class="framed" mathbackground="yellow">'));
  ok(box.includes('<mrow class="padded" mathbackground="yellow">'));
  ok(!box.includes("style="));
  ok(drawn(String.raw`\textbf{w}`).includes('<mtext class="bold">'));
});

Deno.test("cells stand at their sides, and have their lines", () => {
  const cells = (source: string) =>
    [...drawn(source).matchAll(/<mtd class="([^"]*)"/g)].map(([, each]) => each);
  equal(cells(String.raw`\begin{aligned}a&=b\\c&=d\end{aligned}`), [
    "to-right end-none below-none",
    "to-left end-none below-none close",
    "to-right end-none below-none",
    "to-left end-none below-none close",
  ]);
  equal(cells(String.raw`\begin{array}{l|c}a&b\\\hline c&d\end{array}`), [
    "to-left end-solid below-solid",
    "to-center end-none below-solid",
    "to-left end-solid below-none",
    "to-center end-none below-none",
  ]);
  ok(
    cells(String.raw`\begin{align}a&=b\tag{1}\end{align}`).includes("to-right end-none below-none"),
  );
});

Deno.test("a function stands apart from what it is applied to", () => {
  equal(letters(String.raw`x\log x`), "xlog\u2061x");
  const apart = (source: string) => drawn(source).match(/apart-\w+/g) ?? [];
  equal(apart(String.raw`x\log x`), ["apart-before", "apart-after"]);
  equal(apart(String.raw`\cos(x)`), []);
  equal(apart(String.raw`\ln\left(x\right)`), []);
  equal(apart(String.raw`a+\log_2 n`), ["apart-after"]);
  equal(apart(String.raw`\max_i a_i`), ["apart-after"]);
});
