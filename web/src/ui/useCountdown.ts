import { computed, type ComputedRef, onBeforeUnmount, shallowRef, watch } from "vue";
import { Alarm } from "../core/alarm.ts";
import type { Environment } from "../core/environment.ts";

/** Half a second, so that no second is left out. */
const COUNT_MS = 500;

/** Whole seconds until `due`, a time of the environment's clock; it counts only while there is one. */
export function useCountdown(
  environment: Environment,
  due: () => number | undefined,
): ComputedRef<number> {
  const beat = shallowRef(0);
  const alarm = new Alarm(environment);
  const count = () => {
    beat.value++;
    if ((due() ?? 0) > environment.now()) alarm.set(COUNT_MS, count);
  };
  watch(due, (time) => {
    if (time === undefined) alarm.clear();
    else count();
  }, { immediate: true });
  onBeforeUnmount(() => alarm.clear());
  return computed(() => {
    void beat.value;
    return Math.max(0, Math.ceil(((due() ?? 0) - environment.now()) / 1_000));
  });
}
