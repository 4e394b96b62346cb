import { defineComponent, h, onBeforeUnmount, shallowRef, type VNodeChild, watch } from "vue";
import { Alarm } from "../core/alarm.ts";
import type { ConnectionState } from "../core/connection-state.ts";
import { isMessageKey } from "../i18n/translate.ts";
import { useUi } from "./context.ts";
import { icon } from "./Icon.tsx";

/** A dot and a word in the header: how the connection is. */
export const StatusPill = defineComponent<{ connection: ConnectionState }>((props) => {
  const ui = useUi();
  return () => {
    const { phase, draining } = props.connection;
    const tone = phase === "ready" && !draining
      ? "good"
      : phase === "connecting" || phase === "waiting" || draining
      ? "busy"
      : "bad";
    const key = phase === "waiting" || phase === "connecting"
      ? "link.connecting"
      : `link.${phase}` as const;
    return (
      <span
        class={`pill ${tone}`}
        data-testid="connection"
        data-phase={phase}
        title={ui.t(key)}
      >
        <span class="dot" />
        <span class="pill-text">{ui.t(key)}</span>
      </span>
    );
  };
}, { name: "StatusPill", props: ["connection"] });

/** Half a second, so that no second is left out. */
const COUNT_MS = 500;

interface BarProps {
  connection: ConnectionState;
  onReconnect: () => void;
  onKey: (key: string) => void;
}

/** Above the composer, only when there is something to say: retry countdown, offline, refused, restart. */
export const ConnectionBar = defineComponent<BarProps>((props) => {
  const ui = useUi();
  const second = shallowRef(0);
  const alarm = new Alarm(ui.environment);
  const count = () => {
    second.value++;
    alarm.set(COUNT_MS, count);
  };
  watch(() => props.connection.phase, (phase) => {
    if (phase === "waiting") alarm.set(COUNT_MS, count);
    else alarm.clear();
  }, { immediate: true });
  onBeforeUnmount(() => alarm.clear());
  const key = shallowRef("");

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
    <div class={`bar ${tone}`} role="status">
      {icon(name)}
      <div class="bar-text">{children}</div>
      {tone === "calm" ? null : again()}
    </div>
  );
  return (): VNodeChild => {
    void second.value;
    const { phase, retry_at, problem, draining, attempt } = props.connection;
    const known = `link.why.${problem?.code}`;
    const why = problem === undefined || problem.message === "" || problem.code === "close_1006"
      ? null
      : (
        <span class="muted" dir="auto">
          {isMessageKey(known) ? ui.t(known) : problem.message}
        </span>
      );
    switch (phase) {
      case "ready":
        return draining ? bar("calm", "again", ui.t("link.draining")) : null;
      case "connecting":
        // While attempts go on, the bar stays where it is: it would jump with each of them.
        return attempt <= 1
          ? null
          : bar("warn", "again", <span>{ui.t("link.connecting")}</span>, why);
      case "waiting": {
        // The first quick attempts are not worth a word.
        if (attempt <= 1 && why === null) return null;
        const left_ms = (retry_at ?? 0) - ui.environment.now();
        const seconds = Math.max(0, Math.ceil(left_ms / 1_000));
        return bar("warn", "again", <span>{ui.t("link.waiting", { seconds })}</span>, why);
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
          return (
            <form
              class="bar warn"
              onSubmit={(event: Event) => {
                event.preventDefault();
                props.onKey(key.value);
              }}
            >
              {icon("shield")}
              <label class="bar-text" for="access-key">{ui.t("link.keyHint")}</label>
              <input
                id="access-key"
                type="password"
                autocomplete="off"
                required
                placeholder={ui.t("link.key")}
                aria-label={ui.t("link.key")}
                value={key.value}
                onInput={(event: Event) => key.value = (event.target as HTMLInputElement).value}
              />
              <button type="submit" class="button small">{ui.t("link.useKey")}</button>
            </form>
          );
        }
        return bar("danger", "warning", <strong>{ui.t("link.closed")}</strong>, why);
      default:
        return null;
    }
  };
}, { name: "ConnectionBar", props: ["connection", "onReconnect", "onKey"] });
