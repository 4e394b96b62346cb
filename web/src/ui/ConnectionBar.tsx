import { defineComponent, h, shallowRef, type VNodeChild } from "vue";
import type { ConnectionState } from "../core/connection-state.ts";
import { isMessageKey } from "../i18n/translate.ts";
import { useUi } from "./context.ts";
import { icon } from "./Icon.tsx";
import { useCountdown } from "./useCountdown.ts";

/** A dot and a word in the header: how the connection is. */
export const StatusPill = defineComponent<{ connection: ConnectionState }>((props) => {
  const ui = useUi();
  return () => {
    const { phase, draining } = props.connection;
    const tone = phase === "ready" && !draining
      ? "good"
      : phase === "idle" || phase === "connecting" || phase === "waiting" || draining
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
  /** Why there is no connection, as far as that is known. */
  const reasonOf = (problem: ConnectionState["problem"], attempt: number): string => {
    if (problem === undefined) return "";
    if (problem.code === "close_1006") {
      return attempt < SILENT_ATTEMPTS ? "" : ui.t("link.why.silent");
    }
    const known = `link.why.${problem.code}`;
    return isMessageKey(known) ? ui.t(known) : problem.message;
  };
  return (): VNodeChild => {
    const { phase, problem, draining, attempt } = props.connection;
    const reason = reasonOf(problem, attempt);
    const why = reason === "" ? null : <span class="muted" dir="auto">{reason}</span>;
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
        const words = ui.t("link.waiting", { seconds: seconds.value });
        return bar("warn", "again", <span>{words}</span>, why);
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
