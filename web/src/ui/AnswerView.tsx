import { computed, defineComponent, h, shallowRef, type VNodeChild } from "vue";
import type { MessageKey } from "../i18n/en.ts";
import { isMessageKey } from "../i18n/translate.ts";
import { imageData } from "../core/image-data.ts";
import type { StateFrame } from "../core/protocol.ts";
import {
  type Answer,
  answerText,
  isRunning,
  isSettled,
  type OutputItem,
  seamBetween,
} from "../core/turn.ts";
import type { TurnView } from "../vue/useChatStream.ts";
import { type Ui, useUi } from "./context.ts";
import { icon, wheel } from "./Icon.tsx";
import { JsonTree, looksLikeJson, mayBecomeJson } from "./JsonTree.tsx";
import { type Cite, MarkdownText } from "./MarkdownText.tsx";
import { ReasoningCard } from "./ReasoningCard.tsx";
import { citationMark, sourcesView } from "./Sources.tsx";
import { ToolCard } from "./ToolCard.tsx";
import { useCopy } from "./useCopy.ts";
import { useCountdown } from "./useCountdown.ts";

export interface AnswerActions {
  retry(): void;
  regenerate(): void;
}

/** One answer: its items in order, why nothing comes, how it ended, and what may be done with it. */
export const AnswerView = defineComponent<
  { view: TurnView; last: boolean; idle: boolean; actions: AnswerActions }
>((props) => {
  const ui = useUi();
  const { copied, copy } = useCopy();
  /** What failed before it was shown is no news to who listens. */
  const role = isSettled(props.view.current) ? undefined : "alert";
  const cite: Cite = (number) => {
    const { answer } = props.view.current;
    return answer === undefined ? null : citationMark(ui, answer, number);
  };
  return () => {
    const turn = props.view.turn;
    const answer = turn.answer;
    if (answer === undefined) {
      if (turn.delivery !== "sent" && turn.delivery !== "accepted") return null;
      return (
        <div class="answer" aria-busy="true">
          {wheel(true)}
          <p class="activity">
            {ui.t(turn.delivery === "sent" ? "turn.sending" : "state.thinking")}
          </p>
        </div>
      );
    }
    const running = isRunning(turn);
    const empty = answer.items.length === 0;
    return (
      <article class="answer" aria-label={ui.t("turn.answer")} aria-busy={String(running)}>
        {wheel(running)}
        <div class="answer-body">
          {answer.items.map((item, place) => [
            seamView(ui, answer, answer.items[place - 1]?.index ?? -1, item.index),
            itemView(ui, props.view, item, running, place === answer.items.length - 1, cite),
          ])}
          {running ? activityView(ui, props.view, answer, empty) : null}
          {endView(ui, answer, role, props.actions)}
          {sourcesView(ui, answer)}
          {running ? null : (
            <footer class="answer-foot">
              {answerText(answer) === "" ? null : action(
                copied.value ? "check" : "copy",
                ui.t(copied.value ? "turn.copied" : "turn.copy"),
                () => void copy(props.view.text),
              )}
              {answer.status === "failed" || answer.status === "interrupted" ? null : action(
                "again",
                ui.t("turn.regenerate"),
                () => props.actions.regenerate(),
                !props.idle,
              )}
              {usageView(ui, answer)}
            </footer>
          )}
        </div>
      </article>
    );
  };
}, { name: "AnswerView", props: ["view", "last", "idle", "actions"] });

function action(
  name: Parameters<typeof icon>[0],
  label: string,
  run: () => void,
  disabled = false,
): VNodeChild {
  return (
    <button
      type="button"
      class="quiet icon-only"
      disabled={disabled}
      onClick={run}
      aria-label={label}
      title={label}
    >
      {icon(name)}
    </button>
  );
}

function itemView(
  ui: Ui,
  view: TurnView,
  item: OutputItem,
  running: boolean,
  last: boolean,
  cite: Cite,
): VNodeChild {
  const key = `i${item.index}`;
  const image = imageOf(item);
  if (image !== undefined) return <ImageOutput key={key} source={image} done={hasResult(item)} />;
  if (item.tool !== undefined) {
    return <ToolCard key={key} view={view} item={item} running={running} />;
  }
  const thinks = item.parts.length > 0
    ? item.parts.every((part) => part.kind.startsWith("reasoning"))
    : item.item?.type === "reasoning";
  if (thinks) {
    return (
      <ReasoningCard
        key={key}
        view={view}
        item={item}
        active={running && last && item.item === undefined}
      />
    );
  }
  // An item that nothing is to be seen of leaves no gap.
  if (item.parts.length === 0) return null;
  const { answer } = view.turn;
  // What stands before a seam never gets its item.
  const sealed = answer !== undefined && seamBetween(answer, item.index, Infinity) !== undefined;
  const done = !running || item.item !== undefined || sealed;
  return (
    <div key={key} class="said">
      {item.parts.map((part) => {
        const partKey = `${part.kind}/${part.part}`;
        if (part.kind === "refusal") {
          return (
            <div key={partKey} class="refusal">
              {icon("ban")}
              <span class="visually-hidden">{`${ui.t("end.refusal")}: `}</span>
              <MarkdownText view={view} part={part} done={done} />
            </div>
          );
        }
        if (part.kind === "audio" || (!done && mayBecomeJson(part.text))) return null;
        return looksLikeJson(part.text)
          ? <JsonTree key={`${partKey}/json`} view={view} read={() => part.text} done={done} />
          : (
            <MarkdownText
              key={partKey}
              view={view}
              part={part}
              done={done}
              item={item}
              cite={cite}
            />
          );
      })}
    </div>
  );
}

/** Where the answer broke off and another upstream went on. */
function seamView(ui: Ui, answer: Answer, before: number, index: number): VNodeChild {
  const seam = seamBetween(answer, before, index);
  if (seam === undefined) return null;
  return (
    <p key={`seam${seam.index}`} class="seam" role="note" title={seam.reason}>
      {ui.t("turn.seam")}
    </p>
  );
}

function hasResult(item: OutputItem): boolean {
  return typeof item.item?.result === "string";
}

function imageOf(item: OutputItem): string | undefined {
  if (item.tool?.kind !== "image_generation") return undefined;
  return imageData(item.item?.result ?? item.partial_image)?.url;
}

const ImageOutput = defineComponent<{ source: string; done: boolean }>((props) => {
  const ui = useUi();
  const broken = shallowRef("");
  return () => (
    <figure class={`image${props.done ? "" : " partial"}`}>
      {broken.value === props.source
        ? <p class="note">{icon("image")}{ui.t("image.broken")}</p>
        : (
          <img
            src={props.source}
            alt={ui.t(props.done ? "image.alt" : "image.partial")}
            onError={() => broken.value = props.source}
          />
        )}
      {props.done
        ? (
          <a
            class="quiet icon-only"
            href={props.source}
            download="image.png"
            aria-label={ui.t("image.save")}
          >
            {icon("save")}
          </a>
        )
        : null}
    </figure>
  );
}, { name: "ImageOutput", props: ["source", "done"] });

/** When the gateway asks the model again. */
const RetryView = defineComponent<{ activity: StateFrame }>((props) => {
  const ui = useUi();
  const due = computed(() => ui.environment.now() + (props.activity.retry_in_ms ?? 0));
  const seconds = useCountdown(ui.environment, () => due.value);
  return () => (
    <p class="activity warn">
      {ui.t("state.retrying", { seconds: seconds.value, attempt: props.activity.attempt ?? 1 })}
    </p>
  );
}, { name: "RetryView", props: ["activity"] });

/** Why nothing comes; while text comes, nothing. */
function activityView(ui: Ui, view: TurnView, answer: Answer, empty: boolean): VNodeChild {
  if (view.turn.stopping === true) return <p class="activity">{ui.t("state.stopping")}</p>;
  const activity = answer.activity;
  if (activity !== undefined) {
    const key = `state.${activity.state}`;
    if (activity.state === "retrying") return <RetryView activity={activity} />;
    if (isMessageKey(key)) return <p class="activity">{ui.t(key)}</p>;
  }
  return empty ? <p class="activity">{ui.t("state.thinking")}</p> : null;
}

function endView(
  ui: Ui,
  answer: Answer,
  role: "alert" | undefined,
  actions: AnswerActions,
): VNodeChild {
  const complete = answer.complete;
  const retry = () => (
    <button type="button" class="button small" onClick={() => actions.retry()}>
      {icon("again")}
      {ui.t("turn.retry")}
    </button>
  );
  const mismatch = answer.integrity === "mismatch"
    ? <p class="note danger" role={role}>{icon("warning")}{ui.t("end.mismatch")}</p>
    : null;
  switch (answer.status) {
    case "cancelled":
      return (
        <p class="note">
          {icon("stop")}
          {reasonText(ui, "end.cancelledBy.", complete?.reason, "end.cancelled")}
        </p>
      );
    case "incomplete":
      return (
        <p class="note warn">
          {icon("warning")}
          {reasonText(ui, "end.incompleteBy.", complete?.reason, "end.incomplete")}
        </p>
      );
    case "failed":
      return (
        <div class="note danger block" role={role}>
          {icon("warning")}
          <div>
            <strong>{ui.t("end.failed")}</strong>
            <p dir="auto">{complete?.error?.message}</p>
            <p class="codes">
              {[complete?.error?.code, complete?.error?.upstream_code, complete?.error?.request_id]
                .filter((code) => code !== undefined).join(" · ")}
            </p>
            {retry()}
          </div>
        </div>
      );
    case "interrupted":
      return (
        <div class="note warn block">
          {icon("warning")}
          <div>
            <strong>{ui.t("end.interrupted")}</strong>
            {retry()}
          </div>
        </div>
      );
    case "completed":
      return mismatch ??
        (saysNothing(answer) ? <p class="note">{icon("info")}{ui.t("end.empty")}</p> : null);
    default:
      return mismatch;
  }
}

function saysNothing(answer: Answer): boolean {
  return answer.items.every((item) =>
    item.tool === undefined && item.parts.every((part) => part.text === "")
  );
}

function reasonText(
  ui: Ui,
  prefix: string,
  reason: string | undefined,
  fallback: MessageKey,
): string {
  const key = `${prefix}${reason}`;
  return ui.t(isMessageKey(key) ? key : fallback);
}

/** Tokens, time to the first text, speed, and whether the text has its checksum. */
function usageView(ui: Ui, answer: Answer): VNodeChild {
  const { usage, timing } = answer.complete ?? {};
  const facts: VNodeChild[] = [];
  const add = (key: MessageKey, count: number | undefined, shown = true) => {
    // Some upstreams say `null` of what they did not count.
    if (typeof count === "number" && shown) facts.push(ui.t(key, { count }));
  };
  add("usage.in", usage?.input_tokens);
  const cached = usage?.input_tokens_details?.cached_tokens;
  add("usage.cached", cached, cached !== 0);
  add("usage.out", usage?.output_tokens);
  const reasoning = usage?.output_tokens_details?.reasoning_tokens;
  add("usage.reasoning", reasoning, reasoning !== 0);
  const first = timing?.first_text_ms;
  if (first !== undefined && answerText(answer) !== "") {
    const time = first < 1_000
      ? ui.t("time.milliseconds", { value: Math.round(first) })
      : ui.t("time.seconds", { value: round(first / 1_000) });
    facts.push(ui.t("usage.first", { time }));
  }
  const streaming_ms = (timing?.total_ms ?? 0) - (timing?.first_event_ms ?? first ?? 0);
  if ((usage?.output_tokens ?? 0) > 0 && streaming_ms > 50) {
    facts.push(
      ui.t("usage.rate", { rate: Math.round(usage!.output_tokens! / (streaming_ms / 1_000)) }),
    );
  }
  return (
    <p class="usage">
      {answer.model === undefined ? null : (
        <span>
          <bdi>{answer.model}</bdi>
        </span>
      )}
      {facts.map((fact, place) => <span key={place}>{fact}</span>)}
      {answer.integrity === "verified" && answer.status !== "failed" && answerText(answer) !== ""
        ? (
          <span class="verified" title={ui.t("usage.verifiedHint")}>
            {icon("shield")}
            {ui.t("usage.verified")}
          </span>
        )
        : null}
    </p>
  );
}

function round(seconds: number): number {
  return seconds < 10 ? Math.round(seconds * 100) / 100 : Math.round(seconds);
}
