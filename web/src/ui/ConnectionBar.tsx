import { defineComponent, h, shallowRef, type VNodeChild, watch } from "vue";
import type { ConnectionState, Phase } from "../core/connection-state.ts";
import type { Environment } from "../core/environment.ts";
import { isMessageKey } from "../i18n/translate.ts";
import { useUi } from "./context.ts";
import { icon } from "./Icon.tsx";
import { useCountdown } from "./useCountdown.ts";

/** Attempts are made without a network too, in case the browser is wrong about it: nothing flickers with each. */
function shownPhase({ phase }: ConnectionState, environment: Environment): Phase {
  return phase === "connecting" && !environment.online() ? "offline" : phase;
}

/** A dot and a word in the header: how the connection is. */
export const StatusPill = defineComponent<{ connection: ConnectionState }>((props) => {
  const ui = useUi();
  return () => {
    const { draining } = props.connection;
    const phase = shownPhase(props.connection, ui.environment);
    const tone = phase === "ready" && !draining
      ? "good"
      : phase === "idle" || phase === "connecting" || phase === "waiting" || draining
      ? "busy"
      : "bad";
    const key = phase === "idle" || phase === "waiting" || phase === "connecting"
      ? "link.connecting"
      : draining
      ? "link.restarting"
      : `link.${phase}` as const;
    return (
      <span
        class={`pill ${tone}`}
        data-testid="connection"
        data-phase={props.connection.phase}
        title={ui.t(key)}
      >
        <span class="dot" />
        <span class="pill-text">{ui.t(key)}</span>
      </span>
    );
  };
}, { name: "StatusPill", props: ["connection"] });

/** From this attempt on it is said that nobody answers. */
const SILENT_ATTEMPTS = 3;

interface BarProps {
  connection: ConnectionState;
  onReconnect: () => void;
  onKey: (key: string) => void;
}

/** Above the composer, only when there is something to say: retry countdown, offline, refused, restart. */
export const ConnectionBar = defineComponent<BarProps>((props) => {
  const ui = useUi();
  const seconds = useCountdown(
    ui.environment,
    () => props.connection.phase === "waiting" ? props.connection.retry_at ?? 0 : undefined,
  );
  const key = shallowRef("");
  /** A key was given; until the gateway takes it, the field stays where it is. */
  const given = shallowRef(false);
  const wrong = shallowRef(false);
  watch(() => props.connection.phase, (phase) => {
    if (phase === "closed") wrong.value = given.value;
    // Not the key's fault: what is said now is that nobody answers.
    if (phase === "waiting" || phase === "offline") given.value = false;
    if (phase !== "ready") return;
    // The field goes; who wrote in it goes on writing.
    if (document.activeElement?.closest("form.bar")) document.getElementById("composer")?.focus();
    given.value = wrong.value = false;
  });

  const again = () => (
    <button
      type="button"
      class="button small"
      disabled={props.connection.phase === "connecting"}
      onClick={props.onReconnect}
    >
      {ui.t("link.now")}
    </button>
  );
  const bar = (tone: string, name: Parameters<typeof icon>[0], ...children: VNodeChild[]) => (
    <div class={`bar ${tone}`}>
      {icon(name)}
      <div class="bar-text">{children}</div>
      {tone === "calm" ? null : again()}
    </div>
  );
  /** What counts is for the eye; who listens hears once that the connection is being made. */
  const counting = (words: string) => [
    <span key="seen" aria-hidden="true">{words}</span>,
    <span key="heard" class="visually-hidden">{ui.t("link.connecting")}</span>,
  ];
  /** Why there is no connection, as far as that is known. */
  const reasonOf = (problem: ConnectionState["problem"], attempt: number): string => {
    if (problem === undefined) return "";
    if (problem.code === "close_1006") {
      return attempt < SILENT_ATTEMPTS ? "" : ui.t("link.why.silent");
    }
    const known = `link.why.${problem.code}`;
    return isMessageKey(known) ? ui.t(known) : problem.message || ui.t("link.why.ended");
  };
  const keyForm = (connecting: boolean): VNodeChild => (
    <form
      key="key"
      class="bar warn"
      onSubmit={(event: Event) => {
        event.preventDefault();
        if (connecting) return;
        given.value = true;
        wrong.value = false;
        props.onKey(key.value);
      }}
    >
      {icon("key")}
      <label class="bar-text" for="access-key">
        {ui.t(wrong.value ? "link.keyWrong" : "link.keyHint")}
      </label>
      <input
        id="access-key"
        type="password"
        autocomplete="off"
        required
        placeholder={ui.t("link.key")}
        aria-label={ui.t("link.key")}
        aria-invalid={String(wrong.value)}
        value={key.value}
        onInput={(event: Event) => key.value = (event.target as HTMLInputElement).value}
      />
      <button type="submit" class="button small" aria-disabled={String(connecting)}>
        {ui.t("link.useKey")}
      </button>
    </form>
  );
  const view = (): VNodeChild => {
    const { problem, draining, attempt } = props.connection;
    const phase = shownPhase(props.connection, ui.environment);
    const reason = reasonOf(problem, attempt);
    const why = reason === "" ? null : <span class="muted" dir="auto">{reason}</span>;
    switch (phase) {
      case "ready":
        return draining ? bar("calm", "again", ui.t("link.draining")) : null;
      case "connecting":
        if (given.value) return keyForm(true);
        // While attempts go on, the bar stays where it is: it would jump with each of them.
        return attempt <= 1 ? null : bar("warn", "again", counting(ui.t("link.connecting")), why);
      case "waiting": {
        // The first quick attempts are not worth a word.
        if (attempt <= 1 && why === null) return null;
        const words = ui.t("link.waiting", { seconds: seconds.value });
        return bar("warn", "again", counting(words), why);
      }
      case "offline":
        return bar(
          "warn",
          "offline",
          <strong>{ui.t("link.offline")}</strong>,
          <span>{ui.t("link.offlineHint")}</span>,
        );
      case "closed":
        if (problem?.code === "unauthorized" || problem?.code === "close_4401") {
          return keyForm(false);
        }
        return bar("danger", "warning", <strong>{ui.t("link.closed")}</strong>, why);
      default:
        return null;
    }
  };
  // Always there: what comes into it is heard.
  return () => <div class="link-place" role="status">{view()}</div>;
}, { name: "ConnectionBar", props: ["connection", "onReconnect", "onKey"] });
