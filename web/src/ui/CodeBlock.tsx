import { defineComponent, h, onBeforeUnmount, shallowRef, type VNodeChild } from "vue";
import type { Block } from "../markdown/block.ts";
import { HighlightStream, type Token } from "../markdown/highlight.ts";
import { AnimationFrameScheduler } from "../vue/scheduler.ts";
import { useUi } from "./context.ts";
import { icon } from "./Icon.tsx";
import { useCopy } from "./useCopy.ts";

/** Lines are put into groups that are complete once and never drawn again. */
const GROUP_LINES = 40;
/** So many more are read and drawn with one frame: a long text that comes at once comes into view over several. */
const LINES_AT_ONCE = 400;

/** A code block: its lines are coloured as they come, and complete groups of lines stay as they are. */
export const CodeBlock = defineComponent<{ block: Block; marks: () => VNodeChild }>((props) => {
  const ui = useUi();
  const { block } = props;
  const { copied, copy } = useCopy();
  const revision = shallowRef(0);
  let highlight = new HighlightStream(block.language);
  let length = 0;
  const groups: (readonly Token[])[][] = [];
  const frames = new AnimationFrameScheduler();
  // The block around it never changes; only the lines do.
  const listener = () => {
    revision.value++;
  };
  block.listener = listener;
  onBeforeUnmount(() => {
    frames.cancel();
    if (block.listener === listener) block.listener = undefined;
  });

  return () => {
    void revision.value;
    // Blank lines at the end of indented code go away when the block ends.
    if (block.text.length < length) {
      highlight = new HighlightStream(block.language);
      groups.length = 0;
    }
    length = block.text.length;
    const last = highlight.read(block.text, groups.length * GROUP_LINES + LINES_AT_ONCE);
    if (last === undefined) frames.request(listener);
    const lines = highlight.lines;
    while (lines.length - groups.length * GROUP_LINES >= GROUP_LINES) {
      groups.push(lines.slice(groups.length * GROUP_LINES, (groups.length + 1) * GROUP_LINES));
    }
    const tail = lines.slice(groups.length * GROUP_LINES);
    return (
      <figure class="code" dir="ltr">
        <figcaption>
          <span>{block.language}</span>
          <button
            type="button"
            class="quiet"
            onClick={() => void copy(block.text)}
            aria-label={ui.t(copied.value ? "turn.copied" : "code.copy")}
          >
            {icon(copied.value ? "check" : "copy")}
            <span class="label">{ui.t(copied.value ? "turn.copied" : "turn.copy")}</span>
          </button>
        </figcaption>
        <pre tabindex="0"><code>
          {groups.map((group, place) => <CodeLines key={place} lines={group} />)}
          {tail.map((line, place) => codeLine(line, groups.length * GROUP_LINES + place))}
          {last?.length ? codeLine(last, lines.length) : null}
        </code></pre>
        {props.marks()}
      </figure>
    );
  };
}, { name: "CodeBlock", props: ["block", "marks"] });

const CodeLines = defineComponent<{ lines: readonly (readonly Token[])[] }>(
  (props) => () => <span class="code-group">{props.lines.map(codeLine)}</span>,
  { name: "CodeLines", props: ["lines"] },
);

function codeLine(tokens: readonly Token[], key: number) {
  return (
    <span class="line" key={key}>
      {tokens.map((token, place) =>
        token.kind === "plain"
          ? token.text
          : <span key={place} class={`tok-${token.kind}`}>{token.text}</span>
      )}
      {"\n"}
    </span>
  );
}
