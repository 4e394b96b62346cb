import { defineComponent, h, shallowRef } from "vue";
import type { OutputItem } from "../core/turn.ts";
import type { TurnView } from "../vue/useChatStream.ts";
import { useUi } from "./context.ts";
import { icon } from "./Icon.tsx";
import { MarkdownText } from "./MarkdownText.tsx";

/** What the model thought: open while it thinks, folded away once it answers, as the reader left it after a click. */
export const ReasoningCard = defineComponent<{ view: TurnView; item: OutputItem; active: boolean }>(
  (props) => {
    const ui = useUi();
    const chosen = shallowRef<boolean | undefined>(undefined);
    const title = () => {
      if (props.active) return ui.t("reasoning.running");
      const { began, ended } = props.item;
      if (began === undefined || ended === undefined) return ui.t("reasoning.plain");
      return ui.t("reasoning.done", { seconds: Math.max(1, Math.round((ended - began) / 1_000)) });
    };
    return () => {
      void props.view.turn;
      const parts = props.item.parts.filter((part) => part.text !== "");
      if (parts.length === 0 && !props.active) return null;
      const open = chosen.value ?? props.active;
      return (
        <section class={props.active ? "fold reasoning active" : "fold reasoning"}>
          <button
            type="button"
            class="fold-head"
            aria-expanded={String(open)}
            onClick={() => chosen.value = !open}
          >
            {icon("thought")}
            <span>{title()}</span>
            {icon("chevron", "fold-mark")}
          </button>
          {open && parts.length > 0
            ? (
              <div class="fold-body">
                {parts.map((part) => (
                  <MarkdownText
                    key={`${part.kind}/${part.part}`}
                    view={props.view}
                    part={part}
                    done={!props.active}
                  />
                ))}
              </div>
            )
            : null}
        </section>
      );
    };
  },
  { name: "ReasoningCard", props: ["view", "item", "active"] },
);
