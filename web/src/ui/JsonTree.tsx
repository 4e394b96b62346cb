import { defineComponent, h, onBeforeUnmount, shallowRef, type VNodeChild, watch } from "vue";
import { type JsonNode, JsonStream } from "../core/partial-json.ts";
import type { TurnView } from "../vue/useChatStream.ts";
import { useUi } from "./context.ts";

/** So many children of a node are drawn before the reader asks for more, and then four times as many. */
const FIRST_CHILDREN = 50;

/** JSON as a tree that fills in while it streams. `read` gives the text so far; it only ever grows. */
export const JsonTree = defineComponent<{ view: TurnView; read: () => string; done: boolean }>(
  (props) => {
    const ui = useUi();
    let stream = new JsonStream();
    let consumed = 0;
    const root = shallowRef<JsonNode | undefined>(undefined);
    const failed = shallowRef(false);
    watch(
      () => [(void props.view.turn, props.read().length), props.done] as const,
      () => {
        const text = props.read();
        if (text.length < consumed) {
          stream = new JsonStream();
          consumed = 0;
        }
        stream.append(text.slice(consumed));
        consumed = text.length;
        if (props.done) stream.finish();
        root.value = stream.root;
        failed.value = stream.failedAt !== undefined;
        stream.publish();
      },
      { immediate: true },
    );
    return () => (
      <div class="json" role="group" aria-label={ui.t("json.label")} dir="ltr">
        {failed.value || root.value === undefined
          ? <pre>{props.read()}</pre>
          : <JsonView key={1} node={root.value} name="" depth={0} />}
      </div>
    );
  },
  { name: "JsonTree", props: ["view", "read", "done"] },
);

const JsonView = defineComponent<{ node: JsonNode; name: string; depth: number }>((props) => {
  const ui = useUi();
  const { node } = props;
  const revision = shallowRef(0);
  const listener = () => {
    revision.value++;
  };
  node.listener = listener;
  onBeforeUnmount(() => {
    if (node.listener === listener) node.listener = undefined;
  });
  const name = () => props.name === "" ? null : <span class="json-key">{props.name}</span>;
  const shown = shallowRef(FIRST_CHILDREN);
  const children = (): VNodeChild[] => {
    const left = node.children.length - shown.value;
    return [
      ...node.children.slice(0, shown.value).map(({ key, node: child }, place) => (
        <JsonView key={place} node={child} name={key} depth={props.depth + 1} />
      )),
      left <= 0 ? null : (
        <button type="button" class="link" key="more" onClick={showMore}>
          {ui.t("json.more", { count: left })}
        </button>
      ),
    ];
  };
  const showMore = ({ currentTarget }: Event) => {
    shown.value *= 4;
    // The button may go, and the focus is not to be lost with it.
    if (node.children.length <= shown.value) {
      (currentTarget as HTMLElement).parentElement!.focus({ preventScroll: true });
    }
  };
  return (): VNodeChild => {
    void revision.value;
    const state = node.complete ? "" : " growing";
    const isList = node.kind === "object" || node.kind === "array";
    if (isList && props.depth === 0 && node.children.length > 0) {
      // The whole needs no name and no count of its own.
      return <div class={`json-root${state}`} tabindex="-1">{children()}</div>;
    }
    if (isList && node.children.length === 0 && !node.complete) {
      // Nothing is in it yet, and nobody knows how much will be.
      return (
        <div class="json-leaf growing">
          {name()}
          <span class="json-value" />
        </div>
      );
    }
    if (isList) {
      return (
        <details class={`json-node${state}`} open={props.depth < 4}>
          <summary>
            {name()}
            <span class="json-count">{ui.t("json.items", { count: node.children.length })}</span>
          </summary>
          <div class="json-children" tabindex="-1">
            {children()}
          </div>
        </details>
      );
    }
    return (
      <div class={`json-leaf${state}`}>
        {name()}
        <span class={`json-value json-${node.kind}`} dir="auto">{node.text}</span>
      </div>
    );
  };
}, { name: "JsonView", props: ["node", "name", "depth"] });

/** Whether a text that has begun to stream is a JSON object or a list of such, and not prose. */
export function looksLikeJson(text: string): boolean {
  return /^\s*(?:\{\s*["}]|\[\s*\{)/.test(text.slice(0, 200));
}

/** So little has come that it may still become either. */
export function mayBecomeJson(text: string): boolean {
  return text.length < 50 && /^\s*[{[]\s*$/.test(text);
}
