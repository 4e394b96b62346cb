// Entry of dist/katex.js: loaded on its own when the first formula appears.
import katex from "../vendor/katex-0.16.22.cjs";
import { toCore } from "./ui/mathml-core.ts";

/** Draws a formula into an element. */
export default {
  render(source, target, options) {
    const tree = katex.__renderToDomTree(source, options);
    toCore(tree);
    target.replaceChildren(tree.toNode());
  },
};
