import { defineComponent, h, onBeforeUnmount, shallowRef, type VNodeChild, watch } from "vue";
import type { TextPart } from "../core/turn.ts";
import { type Block, splitRow } from "../markdown/block.ts";
import { MarkdownStream } from "../markdown/markdown-stream.ts";
import { headingText, InlineStream, work } from "../markdown/inline-stream.ts";
import type { Inline } from "../markdown/inline.ts";
import { safeHref } from "../markdown/safe-href.ts";
import type { TurnView } from "../vue/useChatStream.ts";
import { CodeBlock } from "./CodeBlock.tsx";
import { MathView } from "./MathView.tsx";

/** Blocks are put into groups, so that a new block at the end of a long text does not visit all before it. */
const GROUP_BLOCKS = 32;

/**
 * One text part as Markdown.
 *
 * The part grows in place. Its blocks are components that redraw only when their own text changes; what is settled
 * is never drawn again.
 */
export const MarkdownText = defineComponent<{ view: TurnView; part: TextPart; done: boolean }>(
  (props) => {
    let stream = new MarkdownStream();
    let consumed = 0;
    const revision = shallowRef(0);
    let groups: Block[][] = [];
    const part = props.part;

    const regroup = () => {
      const children = stream.root.children;
      const next: Block[][] = [];
      for (let start = 0; start < children.length; start += GROUP_BLOCKS) {
        const old = groups[next.length];
        const group = children.slice(start, start + GROUP_BLOCKS);
        next.push(
          old?.length === group.length && old.every((block, place) => block === group[place])
            ? old
            : group,
        );
      }
      groups = next;
      revision.value++;
    };
    const begin = () => {
      stream = new MarkdownStream();
      stream.root.listener = regroup;
      consumed = 0;
    };
    begin();

    watch(
      () => [(void props.view.turn, part.text.length), props.done] as const,
      () => {
        if (part.text.length < consumed || stream.finished) begin();
        stream.append(part.text.slice(consumed));
        consumed = part.text.length;
        if (props.done) stream.finish();
        stream.publish();
      },
      { immediate: true },
    );

    return () => {
      void revision.value;
      return (
        <div class="md">
          {groups.map((blocks, place) => (
            <BlockGroup key={`${place}/${blocks[0]!.id}`} blocks={blocks} stream={stream} />
          ))}
        </div>
      );
    };
  },
  { name: "MarkdownText", props: ["view", "part", "done"] },
);

const BlockGroup = defineComponent<{ blocks: Block[]; stream: MarkdownStream }>(
  (props) => () => (
    <div class="md-group">
      {props.blocks.map((block) => (
        <MarkdownBlock key={block.id} block={block} stream={props.stream} />
      ))}
    </div>
  ),
  { name: "BlockGroup", props: ["blocks", "stream"] },
);

const MarkdownBlock = defineComponent<{ block: Block; stream: MarkdownStream }>(
  (props) => {
    const { block, stream } = props;
    const revision = shallowRef(0);
    const inline = new InlineStream();
    const cells: InlineStream[] = [];
    const listener = () => {
      revision.value++;
    };
    block.listener = listener;
    onBeforeUnmount(() => {
      if (block.listener === listener) block.listener = undefined;
    });

    const children = () =>
      block.children.map((child) => <MarkdownBlock key={child.id} block={child} stream={stream} />);
    // A block at the top finds its own direction; what stands inside a list, quote or table follows it as a whole
    // (`dir="auto"` skips descendants that have a `dir` of their own).
    const dir = block.parent?.type === "document" ? "auto" : undefined;
    const words = (text: string) => inlineNodes(inline.read(stream, block, text, true));

    return () => {
      void revision.value;
      work.blockRenders++;
      switch (block.type) {
        case "document":
          return null;
        case "paragraph":
          return isPerhapsTable(block) ? null : <p dir={dir}>{words(trimEnd(block.text))}</p>;
        case "heading":
          // The page's own headings come first: an answer's begin one level below them.
          return h(
            `h${Math.min(6, block.level + 2)}`,
            { class: `h${block.level}`, dir },
            words(headingText(block.text, block.open)),
          );
        case "rule":
          return <hr />;
        case "code":
          return <CodeBlock block={block} />;
        case "math":
          return <MathView source={block.text} display ready={!block.open} />;
        case "quote":
          return <blockquote dir={dir}>{children()}</blockquote>;
        case "list": {
          const { ordered, start } = block.list!;
          const props = { class: block.loose ? "loose" : "tight", dir };
          return ordered
            ? <ol {...props} start={start}>{children()}</ol>
            : <ul {...props}>{children()}</ul>;
        }
        case "item":
          return block.checked === undefined ? <li>{children()}</li> : (
            <li class="task">
              <span
                class={block.checked ? "box checked" : "box"}
                role="img"
                aria-label={block.checked ? "☑" : "☐"}
              />
              <div>{children()}</div>
            </li>
          );
        case "table":
          return (
            <div class="table" role="group" tabindex="0" dir={dir}>
              <table>
                <thead>{children().slice(0, 1)}</thead>
                <tbody>{children().slice(1)}</tbody>
              </table>
            </div>
          );
        case "row": {
          const texts = splitRow(block.text);
          return (
            <tr>
              {(block.parent?.align ?? []).map((align, column) => {
                const reader = cells[column] ??= new InlineStream();
                return h(
                  block.header ? "th" : "td",
                  { key: column, class: align && `align-${align}` },
                  inlineNodes(reader.read(stream, block, texts[column] ?? "", true)),
                );
              })}
            </tr>
          );
        }
      }
    };
  },
  { name: "MarkdownBlock", props: ["block", "stream"] },
);

/** A lone line that starts like a table row is shown once the next line tells whether it is one. */
function isPerhapsTable(block: Block): boolean {
  return block.open && /^\|[^\n]*\n?$/.test(block.text);
}

function trimEnd(text: string): string {
  return text.replace(/[ \t\n]+$/, "");
}

export function inlineNodes(nodes: readonly Inline[]): VNodeChild[] {
  return nodes.map((node) => {
    switch (node.type) {
      case "text":
        return node.text;
      case "newline":
        return "\n";
      case "break":
        return <br />;
      case "code":
        return <code>{node.text}</code>;
      case "math":
        return <MathView source={node.text} display={node.display} ready />;
      case "emphasis":
        return <em>{inlineNodes(node.children)}</em>;
      case "strong":
        return <strong>{inlineNodes(node.children)}</strong>;
      case "deleted":
        return <del>{inlineNodes(node.children)}</del>;
      case "link":
        return linkNode(node.href, node.title, inlineNodes(node.children));
      case "image":
        // Pictures from elsewhere are not loaded: that would tell their server who reads what.
        return linkNode(node.href, node.title, [`🖼 ${node.alt || node.href}`]);
    }
  });
}

function linkNode(href: string, title: string, children: VNodeChild[]): VNodeChild {
  const safe = href === "" ? undefined : safeHref(href);
  if (safe === undefined) return <span class="no-link">{children}</span>;
  return (
    <a
      href={safe}
      title={title === "" ? undefined : title}
      target="_blank"
      rel="noopener noreferrer nofollow"
    >
      {children}
    </a>
  );
}
