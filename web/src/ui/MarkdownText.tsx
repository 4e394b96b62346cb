import { defineComponent, h, onBeforeUnmount, shallowRef, type VNodeChild, watch } from "vue";
import { CitationMarks } from "../core/citations.ts";
import type { OutputItem, TextPart } from "../core/turn.ts";
import { type Block, cellMarks, splitRow } from "../markdown/block.ts";
import { MarkdownStream } from "../markdown/markdown-stream.ts";
import { headingText, InlineStream, work } from "../markdown/inline-stream.ts";
import type { Inline } from "../markdown/inline.ts";
import { safeHref } from "../markdown/safe-href.ts";
import type { TurnView } from "../vue/useChatStream.ts";
import { CodeBlock } from "./CodeBlock.tsx";
import { MathView } from "./MathView.tsx";

/** Blocks are put into groups, so that a new block at the end of a long text does not visit all before it. */
const GROUP_BLOCKS = 32;

/** Draws the mark of one source. The same function for as long as the text is shown: a new one draws every block anew. */
export type Cite = (number: number) => VNodeChild;

interface BlockProps {
  stream: MarkdownStream;
  cite: Cite | undefined;
}

interface MarkdownProps {
  view: TurnView;
  part: TextPart;
  done: boolean;
  /** The item whose annotations become marks, and what a mark looks like. */
  item?: OutputItem;
  cite?: Cite;
}

/**
 * One text part as Markdown.
 *
 * The part grows in place. Its blocks are components that redraw only when their own text changes; what is settled
 * is never drawn again.
 */
export const MarkdownText = defineComponent<MarkdownProps>(
  (props) => {
    let stream = new MarkdownStream();
    let consumed = 0;
    const revision = shallowRef(0);
    let groups: Block[][] = [];
    const part = props.part;
    const marks = new CitationMarks();
    const annotations = () => props.item?.annotations?.length ?? 0;

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
      () => [(void props.view.turn, part.text.length), annotations(), props.done] as const,
      () => {
        if (part.text.length < consumed || stream.finished) begin();
        stream.append(part.text.slice(consumed));
        consumed = part.text.length;
        const { answer } = props.view.turn;
        if (props.item !== undefined && answer !== undefined) {
          stream.mark(marks.read(answer, props.item, part));
        }
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
            <BlockGroup
              key={`${place}/${blocks[0]!.id}`}
              blocks={blocks}
              stream={stream}
              cite={props.cite}
            />
          ))}
        </div>
      );
    };
  },
  { name: "MarkdownText", props: ["view", "part", "done", "item", "cite"] },
);

const BlockGroup = defineComponent<BlockProps & { blocks: Block[] }>(
  (props) => () => (
    <div class="md-group">
      {props.blocks.map((block) => (
        <MarkdownBlock key={block.id} block={block} stream={props.stream} cite={props.cite} />
      ))}
    </div>
  ),
  { name: "BlockGroup", props: ["blocks", "stream", "cite"] },
);

const MarkdownBlock = defineComponent<BlockProps & { block: Block }>(
  (props) => {
    const { block, stream, cite } = props;
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
      block.children.map((child) => (
        <MarkdownBlock key={child.id} block={child} stream={stream} cite={cite} />
      ));
    // A block at the top finds its own direction; what stands inside a list, quote or table follows it as a whole
    // (`dir="auto"` skips descendants that have a `dir` of their own).
    const dir = block.parent?.type === "document" ? "auto" : undefined;
    const words = (text: string) =>
      inlineNodes(inline.read(stream, block, text, true, block.textMarks), cite);
    /** What holds no words of its own has its marks behind it. */
    const marksBehind = (): VNodeChild =>
      block.marks.length === 0 || cite === undefined
        ? null
        : <p key="cites" class="cites">{block.marks.map(({ number }) => cite(number))}</p>;

    return () => {
      void revision.value;
      work.blockRenders++;
      switch (block.type) {
        case "document":
          return null;
        case "paragraph":
          return isPerhapsTable(block) ? null : <p dir={dir}>{words(trimEnd(block.text))}</p>;
        case "heading":
          // The title of the chat and the question come first, and no level is left out.
          return h(
            `h${Math.min(6, block.depth + 2)}`,
            { class: `h${block.level}`, dir },
            words(headingText(block.text, block.open)),
          );
        case "rule":
          return [<hr key="rule" />, marksBehind()];
        case "code":
          return <CodeBlock block={block} marks={marksBehind} />;
        case "math":
          return [
            <MathView key="math" source={block.text} display ready={!block.open} />,
            marksBehind(),
          ];
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
            <div class="table-place" dir={dir}>
              <div class="table" role="group" tabindex="0">
                <table>
                  <thead>{children().slice(0, 1)}</thead>
                  <tbody>{children().slice(1)}</tbody>
                </table>
              </div>
            </div>
          );
        case "row": {
          const row = splitRow(block.text), marks = block.textMarks;
          return (
            <tr>
              {(block.parent?.align ?? []).map((align, column) => {
                const reader = cells[column] ??= new InlineStream(), cell = row[column];
                const placed = cell === undefined ? [] : cellMarks(block.text, cell, marks);
                return h(
                  block.header ? "th" : "td",
                  { key: column, class: align && `align-${align}` },
                  inlineNodes(reader.read(stream, block, cell?.text ?? "", true, placed), cite),
                );
              })}
            </tr>
          );
        }
      }
    };
  },
  { name: "MarkdownBlock", props: ["block", "stream", "cite"] },
);

/** A lone line that starts like a table row is shown once the next line tells whether it is one. */
function isPerhapsTable(block: Block): boolean {
  return block.open && /^\|[^\n]*\n?$/.test(block.text);
}

function trimEnd(text: string): string {
  return text.replace(/[ \t\n]+$/, "");
}

function inlineNodes(nodes: readonly Inline[], cite: Cite | undefined): VNodeChild[] {
  return nodes.map((node) => {
    switch (node.type) {
      case "text":
        return node.text;
      case "newline":
        return "\n";
      case "break":
        return <br />;
      case "mark":
        return cite?.(node.number) ?? null;
      case "code":
        return <code>{node.text}</code>;
      case "math":
        return <MathView source={node.text} display={node.display} ready />;
      case "emphasis":
        return <em>{inlineNodes(node.children, cite)}</em>;
      case "strong":
        return <strong>{inlineNodes(node.children, cite)}</strong>;
      case "deleted":
        return <del>{inlineNodes(node.children, cite)}</del>;
      case "link":
        return linkNode(node.href, node.title, inlineNodes(node.children, cite));
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
