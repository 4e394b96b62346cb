/** What every component may ask for: words, preferences, and a place for short notices. */

import { computed, inject, type InjectionKey, provide, shallowRef, watchEffect } from "vue";
import { BrowserEnvironment } from "../browser/environment.ts";
import type { Environment } from "../core/environment.ts";
import type { MessageKey } from "../i18n/en.ts";
import {
  catalogues,
  chooseLocale,
  direction,
  type Locale,
  type Parameters,
  translate,
} from "../i18n/translate.ts";

export type Theme = "system" | "light" | "dark";

export interface Toast {
  readonly id: number;
  readonly text: string;
  /** `lasting`: a warning that stays true, whatever one goes on with. */
  readonly tone: "calm" | "warning" | "lasting";
}

const PREFERENCES = "millrace.preferences";

/** What was chosen, as far as there is such a thing: another version of the page may have written it. */
function readPreferences(): { locale?: Locale; theme?: Theme } {
  try {
    const { locale, theme } = JSON.parse(localStorage.getItem(PREFERENCES) ?? "{}");
    return {
      ...(Object.hasOwn(catalogues, locale) ? { locale } : {}),
      ...(theme === "light" || theme === "dark" ? { theme } : {}),
    };
  } catch {
    return {};
  }
}

function createUi(environment: Environment = new BrowserEnvironment()) {
  const kept = readPreferences();
  const usual = chooseLocale(navigator.languages);
  const locale = shallowRef<Locale>(kept.locale ?? usual);
  const theme = shallowRef<Theme>(kept.theme ?? "system");
  const toasts = shallowRef<readonly Toast[]>([]);
  const announcement = shallowRef("");
  let nextToast = 1;

  watchEffect(() => {
    const root = document.documentElement;
    root.lang = locale.value;
    root.dir = direction(locale.value);
    root.dataset.theme = theme.value;
    // The language goes with the browser's until another one is chosen.
    const chosen = locale.value === usual ? {} : { locale: locale.value };
    try {
      localStorage.setItem(PREFERENCES, JSON.stringify({ ...chosen, theme: theme.value }));
    } catch {
      // Private windows may refuse; the choice then lasts as long as the page.
    }
  });

  const dismiss = (id: number) => {
    toasts.value = toasts.value.filter((toast) => toast.id !== id);
  };
  return {
    /** Every clock and timer of the page. */
    environment,
    locale,
    theme,
    toasts,
    announcement,
    t: (key: MessageKey, parameters?: Parameters) => translate(locale.value, key, parameters),
    number: computed(() => new Intl.NumberFormat(locale.value)),
    dismiss,
    /** Whoever goes on has read what was said. */
    hush() {
      toasts.value = toasts.value.filter(({ tone }) => tone === "lasting");
    },
    toast(text: string, tone: Toast["tone"] = "calm"): number {
      const toast = { id: nextToast++, text, tone };
      const others = toasts.value.filter((each) => each.text !== text);
      const passing = others.filter((each) => each.tone !== "lasting").slice(-2);
      toasts.value = [
        ...others.filter((each) => each.tone === "lasting" || passing.includes(each)),
        toast,
      ];
      return toast.id;
    },
    /** For screen readers: said once, politely. */
    announce(text: string) {
      announcement.value = text;
    },
  };
}

export type Ui = ReturnType<typeof createUi>;

const uiKey: InjectionKey<Ui> = Symbol("ui") as InjectionKey<Ui>;

export function provideUi(environment?: Environment): Ui {
  const ui = createUi(environment);
  provide(uiKey, ui);
  return ui;
}

export function useUi(): Ui {
  const ui = inject(uiKey);
  if (ui === undefined) throw new Error("useUi() outside of the app");
  return ui;
}

/** Copies text; answers whether that worked. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // On plain HTTP there is no clipboard interface; the old command still works there.
    const area = document.createElement("textarea"), focused = document.activeElement;
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    (focused as HTMLElement | null)?.focus({ preventScroll: true });
    return done;
  }
}

const DOWNLOAD_STARTS_MS = 1_000;

export function download(ui: Ui, name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  ui.environment.setTimer(DOWNLOAD_STARTS_MS, () => URL.revokeObjectURL(url));
}
