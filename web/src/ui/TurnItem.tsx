import {
  defineComponent,
  h,
  nextTick,
  onMounted,
  type ShallowRef,
  shallowRef,
  type VNodeChild,
} from "vue";
import type { MessageOptions, ResponseError, UpstreamObject } from "../core/protocol.ts";
import { type Delivery, inputAttachments, isSettled, type Turn } from "../core/turn.ts";
import type { MessageKey } from "../i18n/en.ts";
import { formatBytes, isMessageKey } from "../i18n/translate.ts";
import type { ChatStream, TurnView } from "../vue/useChatStream.ts";
import { AnswerView } from "./AnswerView.tsx";
import { messageInput } from "./attachments.ts";
import { useUi } from "./context.ts";
import { icon } from "./Icon.tsx";
import { isEnter, isEscape } from "./keys.ts";
import { textDirection } from "./text-direction.ts";
import { toComposer } from "./to-composer.ts";
import { useCopy } from "./useCopy.ts";

/** So much of a message is shown until all of it is asked for. */
const SHOWN_CHARACTERS = 1_500;
const SHOWN_LINES = 20;

function beginning(text: string): string {
  if (text.length <= SHOWN_CHARACTERS && text.split("\n", SHOWN_LINES + 1).length <= SHOWN_LINES) {
    return text;
  }
  return text.split("\n", SHOWN_LINES).join("\n").slice(0, SHOWN_CHARACTERS)
    .replace(/[\ud800-\udbff]$/, "").trimEnd();
}

/** One turn: what the user wrote, and the answer. */
export const TurnItem = defineComponent<
  {
    view: TurnView;
    chat: ChatStream;
    last: boolean;
    options: () => MessageOptions;
    stepped: ShallowRef<string | undefined>;
  }
>(
  (props) => {
    const ui = useUi();
    const editing = shallowRef<string | undefined>(undefined);
    const { copied, copy } = useCopy();
    const editor = shallowRef<HTMLTextAreaElement | undefined>(undefined);
    const editButton = shallowRef<HTMLButtonElement | undefined>(undefined);
    const root = shallowRef<HTMLElement | undefined>(undefined);
    const wholeShown = shallowRef(false);
    let known = "";
    let begun = "";
    const { view, chat, stepped } = props;
    /** What was so before it was shown is no news to who listens. */
    const isNew = !isSettled(view.current);
    onMounted(() => {
      if (stepped.value === undefined || (view.current.alternatives?.length ?? 0) === 0) return;
      const step = (name: string) =>
        root.value?.querySelector<HTMLElement>(`.versions ${name}:enabled`);
      (step(`.${stepped.value}`) ?? step("button"))?.focus();
      stepped.value = undefined;
    });

    const startEdit = () => {
      editing.value = view.question;
      nextTick(() => {
        editor.value?.focus();
        editor.value?.setSelectionRange(-1, -1);
      });
    };
    const cancelEdit = () => {
      editing.value = undefined;
      nextTick(() => editButton.value?.focus());
    };
    const saveEdit = () => {
      const text = editing.value?.trim();
      if (text === undefined || text === "") return cancelEdit();
      editing.value = undefined;
      toComposer();
      chat.edit(view.id, messageInput(text, inputAttachments(view.turn.input)), props.options());
    };
    // What is asked once more is asked as the settings are now, not as they were.
    const actions = {
      retry: () => {
        chat.retry(view.id, props.options());
        toComposer();
      },
      regenerate: () => {
        chat.regenerate(view.id, props.options());
        toComposer();
      },
    };

    const editForm = () => (
      <form
        class="edit"
        onSubmit={(event: Event) => {
          event.preventDefault();
          saveEdit();
        }}
      >
        <textarea
          ref={editor}
          dir={textDirection(editing.value ?? "")}
          aria-label={ui.t("turn.edit")}
          value={editing.value}
          rows={Math.min(10, (editing.value ?? "").split("\n").length + 1)}
          onInput={(event: Event) => editing.value = (event.target as HTMLTextAreaElement).value}
          onKeydown={(event: KeyboardEvent) => {
            if (isEscape(event)) {
              event.stopPropagation();
              cancelEdit();
            } else if (isEnter(event)) {
              event.preventDefault();
              saveEdit();
            }
          }}
        />
        <div class="row end">
          <button type="button" class="button" onClick={cancelEdit}>
            {ui.t("turn.cancel")}
          </button>
          <button type="submit" class="button primary">{ui.t("turn.save")}</button>
        </div>
      </form>
    );

    const versions = (idle: boolean): VNodeChild => {
      const { alternatives, version } = view.turn;
      if (alternatives === undefined || alternatives.length === 0) return null;
      const count = alternatives.length + 1;
      const at = version ?? alternatives.length;
      const step = (by: number, label: string, name: string) => (
        <button
          type="button"
          class={`quiet icon-only ${name}`}
          aria-label={label}
          disabled={!idle || at + by < 0 || at + by >= count}
          onClick={() => {
            stepped.value = name;
            chat.switchTo(view.id, at + by);
          }}
        >
          {icon("chevron")}
        </button>
      );
      return (
        <span class="versions">
          {step(-1, ui.t("turn.previous"), "back")}
          <span>{ui.t("turn.version", { at: at + 1, count })}</span>
          {step(1, ui.t("turn.next"), "forward")}
        </span>
      );
    };

    /** Why a message did not get through: in the reader's language, where there are words for the code. */
    const whyNot = (delivery: Delivery, problem: ResponseError | undefined): string => {
      if (delivery === "unconfirmed") return ui.t("turn.unconfirmed");
      const known = `problem.${problem?.code}`;
      return isMessageKey(known) ? ui.t(known) : problem?.message ?? ui.t("turn.withdrawn");
    };
    const isThisOrSettled = (turn: Turn) => view.isOf(turn) || isSettled(turn);
    const deliveryView = (): VNodeChild => {
      const step = (label: MessageKey, run: () => void) => (
        <button
          type="button"
          class="link"
          onClick={() => {
            run();
            toComposer();
          }}
        >
          {ui.t(label)}
        </button>
      );
      const { delivery, problem } = view.turn;
      const isReady = chat.connection.value.phase === "ready";
      const isNext = chat.client.turns.every(isThisOrSettled);
      switch (delivery) {
        case "queued":
          // The first message of a session waits for the store alone, for moments.
          if (isReady && problem === undefined && isNext) return null;
          return (
            <p class="delivery">
              <span title={problem?.message}>
                {ui.t(
                  !isReady ? "turn.waitingOffline" : isNext ? "turn.waitingBusy" : "composer.queue",
                )}
              </span>
              {step("turn.cancel", () => chat.stop(view.id))}
            </p>
          );
        case "withdrawn":
        case "refused":
        case "unconfirmed":
          return (
            <div
              class={delivery === "withdrawn" ? "delivery" : "delivery danger"}
              role={isNew ? "alert" : undefined}
            >
              <span dir="auto" title={problem?.message}>{whyNot(delivery, problem)}</span>
              {step("turn.retry", actions.retry)}
              {step("turn.discard", () => chat.discard(view.id))}
            </div>
          );
        default:
          return null;
      }
    };

    return () => {
      const turn = view.turn;
      const question = view.question;
      if (question !== known) [known, begun] = [question, beginning(question)];
      const idle = isSettled(turn) && !chat.busy.value;
      return (
        <div ref={root} class="turn" data-turn={view.id} data-status={view.status}>
          {editing.value === undefined
            ? (
              <div class="asked">
                <h2 class="visually-hidden">{ui.t("turn.you")}</h2>
                {attachmentsView(inputAttachments(turn.input))}
                {question === ""
                  ? turn.input_bytes === undefined ? null : (
                    <p class="bubble muted">
                      {ui.t("turn.large", { size: formatBytes(ui.locale.value, turn.input_bytes) })}
                    </p>
                  )
                  : (
                    <p class="bubble" dir="auto">
                      {wholeShown.value || begun === question ? question : `${begun} …`}
                    </p>
                  )}
                {begun === question ? null : (
                  <button
                    type="button"
                    class="link show-all"
                    aria-expanded={String(wholeShown.value)}
                    onClick={() => wholeShown.value = !wholeShown.value}
                  >
                    {ui.t(wholeShown.value ? "turn.showLess" : "turn.showAll")}
                  </button>
                )}
                <div class="asked-foot">
                  {question === "" ? null : (
                    <button
                      type="button"
                      class="quiet icon-only reveal"
                      aria-label={ui.t(copied.value ? "turn.copied" : "turn.copy")}
                      title={ui.t("turn.copy")}
                      onClick={() => void copy(view.question)}
                    >
                      {icon(copied.value ? "check" : "copy")}
                    </button>
                  )}
                  {turn.input !== undefined
                    ? (
                      <button
                        type="button"
                        class="quiet icon-only reveal"
                        aria-label={ui.t("turn.edit")}
                        title={ui.t("turn.edit")}
                        ref={editButton}
                        disabled={!idle}
                        onClick={startEdit}
                      >
                        {icon("edit")}
                      </button>
                    )
                    : null}
                  {deliveryView()}
                  {versions(idle)}
                </div>
              </div>
            )
            : editForm()}
          <AnswerView view={view} last={props.last} idle={idle} actions={actions} />
        </div>
      );
    };
  },
  { name: "TurnItem", props: ["view", "chat", "last", "options", "stepped"] },
);

function attachmentsView(parts: readonly UpstreamObject[]): VNodeChild {
  if (parts.length === 0) return null;
  return (
    <ul class="attachments">
      {parts.map((part, place) => {
        const { image_url: image, filename, file_id } = part;
        const name = [filename, file_id].find((each) => typeof each === "string") ?? "";
        return (
          <li key={place}>
            {typeof image === "string" && image.startsWith("data:image/")
              ? <img src={image} alt={name} />
              : (
                <span class="file">
                  {icon("file")}
                  <span dir="auto">{name}</span>
                </span>
              )}
          </li>
        );
      })}
    </ul>
  );
}
