/** Picks and fills in messages. No DOM, no Vue. */

import { ar } from "./ar.ts";
import { de } from "./de.ts";
import { type Catalogue, en, type MessageKey } from "./en.ts";

export type Locale = "en" | "de" | "ar";

export const catalogues: Record<Locale, Catalogue> = { en, de, ar };
export const localeNames: Record<Locale, string> = { en: "English", de: "Deutsch", ar: "العربية" };

export function direction(locale: Locale): "ltr" | "rtl" {
  return locale === "ar" ? "rtl" : "ltr";
}

/** The first of the wished languages that there is a catalogue for. */
export function chooseLocale(wished: readonly string[]): Locale {
  for (const tag of wished) {
    const language = tag.toLowerCase().split("-")[0]!;
    if (Object.hasOwn(catalogues, language)) return language as Locale;
  }
  return "en";
}

export type Parameters = Readonly<Record<string, string | number>>;

/** The plural categories of a locale, in the order in which its messages list their forms. */
const pluralOrder: Record<Locale, readonly Intl.LDMLPluralRule[]> = {
  en: ["one", "other"],
  de: ["one", "other"],
  ar: ["one", "two", "few", "many", "other"],
};

/** Making these costs more than a thousand uses. */
const formats = new Map<Locale, [Intl.PluralRules, Intl.NumberFormat]>();

function formatsOf(locale: Locale): [Intl.PluralRules, Intl.NumberFormat] {
  const made = formats.get(locale) ??
    [new Intl.PluralRules(locale), new Intl.NumberFormat(locale)];
  formats.set(locale, made);
  return made;
}

export function translate(locale: Locale, key: MessageKey, parameters: Parameters = {}): string {
  const [plurals, numbers] = formatsOf(locale);
  let message = catalogues[locale][key] ?? en[key] ?? key;
  if (message.includes("|") && typeof parameters.count === "number") {
    const forms = message.split("|");
    const rule = plurals.select(parameters.count);
    message = forms[pluralOrder[locale].indexOf(rule)] ?? forms.at(-1)!;
  }
  return message.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = parameters[name];
    return typeof value === "number" ? numbers.format(value) : value ?? `{${name}}`;
  });
}

export function isMessageKey(key: string): key is MessageKey {
  return Object.hasOwn(en, key);
}

export function formatBytes(locale: Locale, bytes: number): string {
  const [value, unit] = bytes >= 1e6
    ? [bytes / 1e6, "megabyte"]
    : [Math.max(1, bytes / 1e3), "kilobyte"];
  return new Intl.NumberFormat(locale, {
    style: "unit",
    unit,
    unitDisplay: "short",
    maximumFractionDigits: value < 10 ? 1 : 0,
  }).format(value);
}
