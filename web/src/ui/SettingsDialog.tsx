import { defineComponent, h, onMounted, shallowRef, type VNodeChild } from "vue";
import type { MessageOptions, ReadyFrame } from "../core/protocol.ts";
import type { MessageKey } from "../i18n/en.ts";
import { type Locale, localeNames } from "../i18n/translate.ts";
import { type Theme, useUi } from "./context.ts";

interface SettingsProps {
  options: MessageOptions;
  gateway: ReadyFrame["options"];
  /** Names to complete what is typed, where the gateway names no models. */
  knownModels: readonly string[];
  onChange: (options: MessageOptions) => void;
  onClose: () => void;
}

/** Parameters of answers that this page has a field for. */
const PARAMETERS = [
  "model",
  "instructions",
  "reasoning",
  "text",
  "temperature",
  "max_output_tokens",
];

/** Parameters of this chat's answers, and how the page looks. */
export const SettingsDialog = defineComponent<SettingsProps>((props) => {
  const ui = useUi();
  const dialog = shallowRef<HTMLDialogElement | undefined>(undefined);
  onMounted(() => dialog.value?.showModal());

  const allows = (parameter: string) => props.gateway?.allow?.includes(parameter) ?? true;
  const set = (name: string, value: unknown) => {
    const next: Record<string, unknown> = { ...props.options, [name]: value };
    if (value === undefined || value === "") delete next[name];
    props.onChange(next);
  };
  const valueOf = (event: Event) => (event.target as HTMLInputElement).value;
  const number = (event: Event) => {
    const value = Number(valueOf(event));
    return valueOf(event) === "" || !Number.isFinite(value) ? undefined : value;
  };

  const field = (label: MessageKey, id: string, control: VNodeChild): VNodeChild => (
    <div class="field">
      <label for={id}>{ui.t(label)}</label>
      {control}
    </div>
  );
  const choice = (
    id: string,
    value: string,
    options: readonly (readonly [string, string])[],
    change: (value: string) => void,
  ): VNodeChild => (
    <select
      id={id}
      value={value}
      onChange={(event: Event) => change(valueOf(event))}
    >
      {options.map(([key, label]) => <option key={key} value={key}>{label}</option>)}
    </select>
  );

  /** The gateway's list, where it has one; else a field that takes any name. */
  const modelControl = (): VNodeChild => {
    const { models, model: own } = props.gateway ?? {};
    const { model } = props.options;
    if (models === undefined) {
      return [
        <input
          key="field"
          id="s-model"
          list="s-models"
          dir="ltr"
          autocomplete="off"
          spellcheck="false"
          placeholder={own ?? ui.t("settings.modelDefault")}
          value={model ?? ""}
          onInput={(event: Event) => set("model", valueOf(event).trim())}
        />,
        <datalist key="names" id="s-models">
          {props.knownModels.map((name) => <option key={name} value={name} />)}
        </datalist>,
      ];
    }
    const chosen = model !== undefined && models.includes(model) ? model : own ?? models[0]!;
    return choice(
      "s-model",
      chosen,
      models.map((name) =>
        [name, name === own ? ui.t("settings.modelOwn", { model: name }) : name] as const
      ),
      (name) => set("model", name),
    );
  };

  return () => {
    const options = props.options;
    return (
      <dialog
        ref={dialog}
        class="settings"
        aria-labelledby="settings-title"
        onClose={props.onClose}
        onClick={(event: MouseEvent) => {
          if (event.target === dialog.value) dialog.value?.close();
        }}
      >
        <form method="dialog">
          <h2 id="settings-title">{ui.t("settings.title")}</h2>
          <fieldset hidden={!PARAMETERS.some(allows)}>
            <legend>{ui.t("settings.answers")}</legend>
            {allows("model") ? field("settings.model", "s-model", modelControl()) : null}
            {allows("instructions")
              ? field(
                "settings.instructions",
                "s-instructions",
                <textarea
                  id="s-instructions"
                  rows="3"
                  dir="auto"
                  placeholder={ui.t("settings.instructionsHint")}
                  value={options.instructions ?? ""}
                  onInput={(event: Event) => set("instructions", valueOf(event))}
                />,
              )
              : null}
            <div class="fields">
              {allows("reasoning")
                ? field(
                  "settings.effort",
                  "s-effort",
                  choice(
                    "s-effort",
                    options.reasoning?.effort ?? "",
                    [
                      ["", ui.t("settings.default")],
                      ["low", ui.t("settings.low")],
                      ["medium", ui.t("settings.medium")],
                      ["high", ui.t("settings.high")],
                    ],
                    (effort) =>
                      set("reasoning", effort === "" ? undefined : { effort, summary: "auto" }),
                  ),
                )
                : null}
              {allows("text")
                ? field(
                  "settings.format",
                  "s-format",
                  choice(
                    "s-format",
                    options.text?.format?.type === "json_object" ? "json" : "",
                    [["", ui.t("settings.formatText")], ["json", ui.t("settings.formatJson")]],
                    (format) =>
                      set(
                        "text",
                        format === "" ? undefined : { format: { type: "json_object" } },
                      ),
                  ),
                )
                : null}
              {allows("temperature")
                ? field(
                  "settings.temperature",
                  "s-temperature",
                  <input
                    id="s-temperature"
                    type="number"
                    min="0"
                    max="2"
                    step="0.1"
                    placeholder={ui.t("settings.default")}
                    value={options.temperature ?? ""}
                    onChange={(event: Event) => set("temperature", number(event))}
                  />,
                )
                : null}
              {allows("max_output_tokens")
                ? field(
                  "settings.maxTokens",
                  "s-max",
                  <input
                    id="s-max"
                    type="number"
                    min="16"
                    step="1"
                    placeholder={ui.t("settings.default")}
                    value={options.max_output_tokens ?? ""}
                    onChange={(event: Event) => set("max_output_tokens", number(event))}
                  />,
                )
                : null}
            </div>
          </fieldset>
          <fieldset>
            <legend>{ui.t("settings.appearance")}</legend>
            <div class="fields">
              {field(
                "settings.theme",
                "s-theme",
                choice(
                  "s-theme",
                  ui.theme.value,
                  [
                    ["system", ui.t("settings.system")],
                    ["light", ui.t("settings.light")],
                    ["dark", ui.t("settings.dark")],
                  ],
                  (theme) => ui.theme.value = theme as Theme,
                ),
              )}
              {field(
                "settings.language",
                "s-language",
                choice(
                  "s-language",
                  ui.locale.value,
                  Object.entries(localeNames),
                  (locale) => ui.locale.value = locale as Locale,
                ),
              )}
            </div>
          </fieldset>
          <div class="row end">
            <button type="submit" class="button primary">{ui.t("settings.done")}</button>
          </div>
        </form>
      </dialog>
    );
  };
}, { name: "SettingsDialog", props: ["options", "gateway", "knownModels", "onChange", "onClose"] });
