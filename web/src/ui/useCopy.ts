import { onBeforeUnmount, type ShallowRef, shallowRef } from "vue";
import { Alarm } from "../core/alarm.ts";
import { copyText, useUi } from "./context.ts";

const SHOWN_MS = 2_000;

/** Copies texts, and says for a moment that it has. */
export function useCopy(): {
  readonly copied: ShallowRef<boolean>;
  copy(text: string): Promise<void>;
} {
  const alarm = new Alarm(useUi().environment);
  const copied = shallowRef(false);
  onBeforeUnmount(() => alarm.clear());
  return {
    copied,
    async copy(text) {
      copied.value = await copyText(text);
      alarm.set(SHOWN_MS, () => copied.value = false);
    },
  };
}
