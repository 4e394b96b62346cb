import { defineComponent, h, onBeforeUnmount } from "vue";
import { Alarm } from "../core/alarm.ts";
import { type Toast, useUi } from "./context.ts";
import { icon } from "./Icon.tsx";

const SHOWN_MS = 5_000;

/** A calm notice goes by itself, but not while it is pointed at; a warning stays until it is closed. */
const ToastView = defineComponent<{ toast: Toast }>((props) => {
  const ui = useUi();
  const { id, text, tone } = props.toast;
  const alarm = new Alarm(ui.environment);
  const hold = () => alarm.clear();
  const run = () => {
    if (tone === "calm") alarm.set(SHOWN_MS, () => ui.dismiss(id));
  };
  run();
  onBeforeUnmount(hold);
  return () => (
    <div
      class={`toast ${tone === "calm" ? "" : "warning"}`}
      onPointerenter={hold}
      onPointerleave={run}
      onFocusin={hold}
      onFocusout={run}
    >
      {icon(tone === "calm" ? "info" : "warning")}
      <span class="bar-text" dir="auto">{text}</span>
      <button
        type="button"
        class="quiet icon-only"
        aria-label={ui.t("app.close")}
        onClick={() => ui.dismiss(id)}
      >
        {icon("close")}
      </button>
    </div>
  );
}, { name: "ToastView", props: ["toast"] });

/** Short notices, where the bar of the connection is: nothing that is being read lies under them. */
export const Toasts = defineComponent(() => {
  const ui = useUi();
  return () => (
    <div class="toasts" role="status">
      {ui.toasts.value.map((toast) => <ToastView key={toast.id} toast={toast} />)}
    </div>
  );
}, { name: "Toasts" });
