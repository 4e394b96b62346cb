import { defineComponent, h, nextTick, onBeforeUnmount, onMounted, shallowRef, watch } from "vue";
import type { MessageInput } from "../core/protocol.ts";
import { formatBytes } from "../i18n/translate.ts";
import {
  type Attachment,
  DEFAULT_MESSAGE_BYTES,
  encodedBytes,
  fits,
  messageInput,
  readAttachment,
  room_bytes,
} from "./attachments.ts";
import { attachmentDrafts } from "./attachment-drafts.ts";
import { useUi } from "./context.ts";
import { drafts } from "./drafts.ts";
import { isEnter } from "./keys.ts";
import { icon } from "./Icon.tsx";
import { textDirection } from "./text-direction.ts";
import { toComposer } from "./to-composer.ts";

interface ComposerProps {
  busy: boolean;
  limit_bytes: number | undefined;
  /** Under which name a text that was not sent yet is kept. */
  draftKey: string;
  onSend: (input: MessageInput) => void;
  onStop: () => void;
}

/** Where messages are written: text, pictures and files, by typing, picking, dropping or pasting. */
export const Composer = defineComponent<ComposerProps>((props) => {
  const ui = useUi();
  const text = shallowRef(drafts.read(props.draftKey));
  const attached = shallowRef<readonly Attachment[]>([]);
  const reading = shallowRef(0);
  const progress = shallowRef(0);
  const problem = shallowRef("");
  const dropping = shallowRef(false);
  const field = shallowRef<HTMLTextAreaElement | undefined>(undefined);
  const picker = shallowRef<HTMLInputElement | undefined>(undefined);

  const grow = () => {
    const element = field.value;
    if (element === undefined || CSS.supports("field-sizing", "content")) return;
    element.style.blockSize = "auto";
    element.style.blockSize = `${element.scrollHeight}px`;
  };
  const setText = (value: string) => {
    text.value = value;
    drafts.write(props.draftKey, value);
    nextTick(grow);
  };
  const attach = (files: readonly Attachment[]) => {
    attached.value = files;
    void attachmentDrafts.write(props.draftKey, files, ui.environment);
  };
  const kept = attachmentDrafts.read(props.draftKey);
  if (kept !== undefined) {
    reading.value++;
    kept.then((files = []) => {
      if (attached.value.length === 0) attached.value = files;
      else attach([...files, ...attached.value]); // What was added meanwhile was stored alone.
    }, () => {}).finally(() => reading.value--);
  }
  // A new chat gets a name with its first message: what that has not taken along goes by this name from then on.
  watch(() => props.draftKey, (key, before = key) => {
    drafts.write(before, "");
    drafts.write(key, text.value);
    if (attached.value.length === 0) return;
    void attachmentDrafts.write(before, [], ui.environment);
    attach(attached.value);
  });
  // The button goes with the answer: who waited on it goes on writing.
  watch(() => props.busy, (busy) => {
    if (!busy && document.activeElement?.matches(".composer .stop")) toComposer();
  });
  onMounted(() => {
    grow();
    toComposer();
  });

  const limit_bytes = () => props.limit_bytes ?? DEFAULT_MESSAGE_BYTES;
  const room = () => room_bytes(attached.value, limit_bytes());
  const tooLarge = (name: string) => {
    problem.value = ui.t("composer.tooLarge", {
      name,
      limit: formatBytes(ui.locale.value, limit_bytes()),
    });
  };
  const add = async (files: Iterable<File>) => {
    problem.value = "";
    for (const file of files) {
      if (!fits(text.value, room() - encodedBytes(file.size))) {
        tooLarge(file.name);
        continue;
      }
      reading.value++;
      try {
        const attachment = await readAttachment(file, (part) => progress.value = part);
        attach([...attached.value, attachment]);
      } catch {
        problem.value = ui.t("composer.unreadable", { name: file.name });
      } finally {
        reading.value--;
      }
    }
    field.value?.focus();
  };
  const remove = (id: number) => {
    attach(attached.value.filter((each) => each.id !== id));
    problem.value = "";
    toComposer();
  };
  const submit = () => {
    const words = text.value.trim();
    if ((words === "" && attached.value.length === 0) || reading.value > 0) return;
    props.onSend(messageInput(words, attached.value.map((each) => each.part)));
    if (attached.value.length > 0) attach([]);
    problem.value = "";
    setText("");
    field.value?.focus();
  };
  const onKeydown = (event: KeyboardEvent) => {
    if (isEnter(event)) {
      event.preventDefault();
      submit();
    }
  };
  /** A text that no message holds is not let in: the field would be busy with it for minutes. */
  const onBeforeinput = (event: InputEvent) => {
    const added = event.data ?? event.dataTransfer?.getData("text/plain") ?? "";
    if (added === "") return;
    if (event.inputType !== "insertText") problem.value = "";
    // What is selected gives way to it.
    const { value, selectionStart, selectionEnd } = event.target as HTMLTextAreaElement;
    if (fits(value.slice(0, selectionStart) + added + value.slice(selectionEnd), room())) return;
    event.preventDefault();
    tooLarge(ui.t("composer.text"));
  };
  const onPaste = (event: ClipboardEvent) => {
    const { clipboardData: data } = event, files = [...data?.files ?? []];
    // What is copied out of a document comes as words, and as a picture of them beside.
    const isWords = data?.types.includes("text/html") && data.getData("text/plain") !== "";
    if (files.length === 0 || isWords) return;
    event.preventDefault();
    void add(files);
  };

  const onDrag = (event: DragEvent) => {
    if (![...event.dataTransfer?.types ?? []].includes("Files")) return;
    event.preventDefault();
    dropping.value = event.type === "dragenter" || event.type === "dragover";
    if (event.type === "drop") void add(event.dataTransfer!.files);
    if (event.type === "dragleave" && event.relatedTarget !== null) dropping.value = true;
  };
  const types = ["dragenter", "dragover", "dragleave", "drop"] as const;
  onMounted(() => types.forEach((type) => document.addEventListener(type, onDrag)));
  onBeforeUnmount(() => types.forEach((type) => document.removeEventListener(type, onDrag)));

  return () => {
    const empty = text.value.trim() === "" && attached.value.length === 0;
    return (
      <form
        class={dropping.value ? "composer dropping" : "composer"}
        onSubmit={(event: Event) => {
          event.preventDefault();
          submit();
        }}
      >
        {dropping.value ? <p class="drop" aria-hidden="true">{ui.t("composer.drop")}</p> : null}
        {attached.value.length === 0 && reading.value === 0 ? null : (
          <ul class="attachments">
            {attached.value.map((each) => (
              <li key={each.id}>
                {each.preview === undefined
                  ? (
                    <span class="file">
                      {icon("file")}
                      <span dir="auto">{each.name}</span>
                    </span>
                  )
                  : <img src={each.preview} alt={each.name} />}
                <button
                  type="button"
                  class="remove"
                  aria-label={ui.t("composer.remove", { name: each.name })}
                  onClick={() => remove(each.id)}
                >
                  {icon("close")}
                </button>
              </li>
            ))}
            {reading.value === 0 ? null : (
              <li key="reading">
                <progress max="1" value={progress.value} aria-label={ui.t("turn.attachment")} />
              </li>
            )}
          </ul>
        )}
        {problem.value === ""
          ? null
          : <p class="composer-problem" role="alert" dir="auto">{problem.value}</p>}
        <div class="composer-row">
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            data-testid="picker"
            onChange={(event: Event) => {
              const input = event.target as HTMLInputElement;
              void add([...input.files ?? []]);
              input.value = "";
            }}
          />
          <button
            type="button"
            class="quiet icon-only"
            aria-label={ui.t("composer.attach")}
            title={ui.t("composer.attach")}
            onClick={() => picker.value?.click()}
          >
            {icon("clip")}
          </button>
          <textarea
            ref={field}
            id="composer"
            rows="1"
            dir={textDirection(text.value)}
            aria-label={ui.t("composer.label")}
            aria-describedby="composer-hint"
            placeholder={ui.t("composer.placeholder")}
            enterkeyhint="send"
            value={text.value}
            onInput={(event: Event) => setText((event.target as HTMLTextAreaElement).value)}
            onBeforeinput={onBeforeinput}
            onKeydown={onKeydown}
            onPaste={onPaste}
          />
          {props.busy
            ? (
              <button
                key="stop"
                type="button"
                class="round stop"
                aria-label={ui.t("composer.stop")}
                title={`${ui.t("composer.stop")} (Esc)`}
                onClick={() => {
                  props.onStop();
                  toComposer();
                }}
              >
                {icon("stop")}
              </button>
            )
            : null}
          {props.busy && empty ? null : (
            <button
              key="send"
              type="submit"
              class="round send"
              aria-label={ui.t("composer.send")}
              title={ui.t("composer.send")}
              disabled={empty || reading.value > 0}
            >
              {icon("send")}
            </button>
          )}
        </div>
        <p id="composer-hint" class="visually-hidden">{ui.t("composer.hint")}</p>
      </form>
    );
  };
}, { name: "Composer", props: ["busy", "limit_bytes", "draftKey", "onSend", "onStop"] });
