import { defineComponent, h, shallowRef, type VNodeChild } from "vue";
import type { OutputItem } from "../core/turn.ts";
import type { TurnView } from "../vue/useChatStream.ts";
import { isMessageKey } from "../i18n/translate.ts";
import { useUi } from "./context.ts";
import { icon, type IconName } from "./Icon.tsx";
import { JsonTree, looksLikeJson } from "./JsonTree.tsx";

const ICONS: Record<string, IconName> = {
  web_search: "globe",
  file_search: "file",
  code_interpreter: "code",
  image_generation: "image",
  mcp: "plug",
  local_shell: "terminal",
  shell: "terminal",
  apply_patch: "edit",
};
const ENDED = new Set(["completed", "failed", "incomplete"]);

/** One tool call: what is called, with what, how it goes, and what came of it. */
export const ToolCard = defineComponent<{ view: TurnView; item: OutputItem; running: boolean }>(
  (props) => {
    const ui = useUi();
    const chosen = shallowRef<boolean | undefined>(undefined);
    const kindName = (kind: string) => {
      const key = `tool.${kind}`;
      return isMessageKey(key) ? ui.t(key) : kind.replaceAll("_", " ");
    };
    const statusName = (status: string) => {
      const key = `tool.status.${status}`;
      return isMessageKey(key) ? ui.t(key) : status.replaceAll("_", " ");
    };
    return () => {
      void props.view.turn;
      const tool = props.item.tool!;
      const ended = ENDED.has(tool.status);
      const status = ended || props.running ? tool.status : "incomplete";
      const live = !ended && props.running;
      const open = chosen.value ?? (live && tool.arguments !== "");
      const failed = status === "failed";
      return (
        <section class={`fold tool ${live ? "active" : ""} ${failed ? "failed" : ""}`}>
          <button
            type="button"
            class="fold-head"
            aria-expanded={String(open)}
            onClick={() => chosen.value = !open}
          >
            {icon(ICONS[tool.kind] ?? "tool")}
            <span class="tool-title">
              {kindName(tool.kind)}
              {tool.name === undefined ? null : <code>{tool.name}</code>}
              {open ? null : <span class="tool-brief" dir="auto">{brief(props.item)}</span>}
            </span>
            <span class={`tag ${status}`}>{statusName(status)}</span>
            {icon("chevron", "fold-mark")}
          </button>
          {open
            ? (
              <div class="fold-body">
                {tool.arguments === "" ? null : (
                  <div>
                    <h3>{ui.t("tool.arguments")}</h3>
                    {looksLikeJson(tool.arguments)
                      ? (
                        <JsonTree
                          key="arguments"
                          view={props.view}
                          read={() => props.item.tool!.arguments}
                          done={!live}
                        />
                      )
                      : <pre dir="auto" tabindex="0">{tool.arguments}</pre>}
                  </div>
                )}
                {tool.output === undefined ? null : (
                  <div>
                    <h3>{ui.t("tool.output")}</h3>
                    {outputView(tool.output)}
                  </div>
                )}
              </div>
            )
            : null}
        </section>
      );
    };
  },
  { name: "ToolCard", props: ["view", "item", "running"] },
);

/** The arguments in a few words, for the folded card. */
function brief(item: OutputItem): string {
  const text = item.tool!.arguments;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text.slice(0, 80);
  }
  if (typeof value !== "object" || value === null) return String(value);
  const action = value as Record<string, unknown>;
  const first = action.query ?? action.url ?? action.command ?? action.queries ??
    Object.values(action)[0];
  return typeof first === "string"
    ? first.slice(0, 80)
    : first === undefined
    ? ""
    : JSON.stringify(first).slice(0, 80);
}

function outputView(output: unknown): VNodeChild {
  if (Array.isArray(output)) {
    return output.map((part, place) => <div key={place}>{outputPart(part)}</div>);
  }
  return outputPart(output);
}

function outputPart(part: unknown): VNodeChild {
  if (typeof part === "object" && part !== null) {
    const { type, logs, url, text } = part as Record<string, unknown>;
    if (type === "logs" && typeof logs === "string") return <pre tabindex="0">{logs}</pre>;
    if (type === "image" && typeof url === "string" && url.startsWith("data:image/")) {
      return <img src={url} alt="" />;
    }
    if (typeof text === "string") return <pre tabindex="0" dir="auto">{text}</pre>;
    return <pre tabindex="0">{JSON.stringify(part, null, 2)}</pre>;
  }
  return <pre tabindex="0" dir="auto">{String(part)}</pre>;
}
