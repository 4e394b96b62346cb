// Entry of dist/katex.js: loaded on its own when the first formula appears.
import katex from "../vendor/katex-0.16.22.cjs";
export default katex;
