import {
  computed,
  defineComponent,
  h,
  onBeforeUnmount,
  onMounted,
  shallowRef,
  type VNodeChild,
  watch,
} from "vue";
import { allowedOptions } from "../core/allowed-options.ts";
import type { Notice } from "../core/connection-state.ts";
import { lastAttempts } from "../core/message-id.ts";
import { type Conversation, titleOf } from "../core/conversations.ts";
import type { MessageInput, MessageOptions } from "../core/protocol.ts";
import { openChannel } from "../browser/channel.ts";
import { IndexedSessionStore } from "../browser/indexed-store.ts";
import { AnimationFrameScheduler } from "../vue/scheduler.ts";
import { type ChatStream, type TurnView, useChatStream } from "../vue/useChatStream.ts";
import { useStickToBottom } from "../vue/useStickToBottom.ts";
import { accessKey } from "./access-key.ts";
import { Composer } from "./Composer.tsx";
import { ConnectionBar, StatusPill } from "./ConnectionBar.tsx";
import { useUi } from "./context.ts";
import { icon, wheel } from "./Icon.tsx";
import { isEscape } from "./keys.ts";
import { SettingsDialog } from "./SettingsDialog.tsx";
import { toComposer } from "./to-composer.ts";
import { Toasts } from "./Toasts.tsx";
import { TurnItem } from "./TurnItem.tsx";

const PROMPTS = ["empty.p1", "empty.p2", "empty.p3", "empty.p4"] as const;
const SOUGHT_SHINES_MS = 1_600;
/** So many turns are drawn at first, the latest, and so many more with each frame: all at once would stop the page. */
const TURNS_AT_ONCE = 20;

/** A turn that is to be shown, where a search has found it. */
export interface Sought {
  readonly id: string;
  readonly turn: string;
}

interface ChatPaneProps {
  id: string;
  conversation: Conversation | undefined;
  /** Nothing was sent in it yet, so that it has no address. */
  isNew: boolean;
  /** Models that conversations of this browser have asked for. */
  usedModels: readonly string[];
  sought: Sought | undefined;
  /** The list of conversations lies over it. */
  covered: boolean;
  onChange: (change: Partial<Omit<Conversation, "id">>) => void;
  /** It was removed, here or by another tab. */
  onRemoved: (id: string) => void;
  onMenu: () => void;
}

/** One conversation: its connection, its turns, and the field to write in. */
export const ChatPane = defineComponent<ChatPaneProps>((props) => {
  const ui = useUi();
  const { environment } = ui;
  const stick = useStickToBottom();
  const settingsOpen = shallowRef(false);
  const tell = openChannel(`millrace.session.${props.id}`);

  // What is said of this chat goes with it.
  onBeforeUnmount(() => ui.hush());

  let wasLost = false;
  let resumed = 0;
  const onNotice = (notice: Notice) => {
    switch (notice.type) {
      case "resumed":
        // A quick return after a reload is what one expects; it is worth a word when something had been interrupted.
        if (notice.events > 0 && wasLost) resumed = ui.toast(ui.t("notice.resumed"));
        wasLost = false;
        break;
      case "session_lost":
        ui.toast(ui.t("notice.lost"), "warning");
        break;
      case "superseded":
        ui.toast(ui.t("notice.superseded"));
        break;
      case "not_saved":
        ui.toast(ui.t("notice.notSaved"), "lasting");
        break;
      case "error":
        // The bar above the composer asks for a key; nothing more need be said.
        if (notice.error.code === "unauthorized") break;
        ui.toast(notice.error.message, "warning");
        break;
    }
  };
  const chat = useChatStream({
    key: props.id,
    store: new IndexedSessionStore(),
    environment,
    auth: () => accessKey.read(),
    onNotice,
  });
  tell?.addEventListener("message", () => void chat.client.reload());
  // A fresh session (an edit, another answer, a lost one) is news for the other tabs once the store has it.
  chat.client.subscribe(({ type }) => {
    if (type === "stored") tell?.postMessage("fresh");
    if (type === "removed") props.onRemoved(props.id);
  });
  watch(() => props.conversation === undefined, (isRemoved) => {
    if (!isRemoved) return;
    chat.stop(); // Nobody reads on.
    props.onRemoved(props.id);
  });
  onBeforeUnmount(() => tell?.close());
  watch(() => props.conversation?.title, (title) => {
    document.title = title ? `${title} – Millrace` : "Millrace";
  }, { immediate: true });

  watch(() => chat.connection.value.phase, (phase) => {
    if (phase !== "waiting" && phase !== "offline") return;
    wasLost = true;
    ui.dismiss(resumed);
  });

  /** A message that was tried again is shown in its last attempt only. */
  const attempts = computed(() => {
    const last = new Set(lastAttempts(chat.turns.value.map(({ current }) => current)));
    return chat.turns.value.filter(({ current }) => last.has(current));
  });
  const drawn = shallowRef(TURNS_AT_ONCE);
  const shown = computed(() => attempts.value.slice(-drawn.value));
  const frames = new AnimationFrameScheduler();
  watch(() => [attempts.value.length, drawn.value] as const, ([all, some]) => {
    if (all > some) frames.request(() => drawn.value += TURNS_AT_ONCE);
    else if (all > 0) drawn.value = Infinity; // What comes from now on takes nobody's place.
  });
  onBeforeUnmount(() => frames.cancel());

  // Once for each choice, as soon as the turn is there.
  let shownSought: Sought | undefined;
  watch(() => [props.sought, shown.value.length] as const, ([sought]) => {
    if (sought === undefined || sought === shownSought) return;
    const turn = stick.content.value?.querySelector(`[data-turn="${CSS.escape(sought.turn)}"]`);
    if (turn === null || turn === undefined) return;
    shownSought = sought;
    stick.show(turn);
    turn.animate([{ backgroundColor: "var(--accent-soft)" }, {}], SOUGHT_SHINES_MS);
  }, { flush: "post", immediate: true });

  watch(() => chat.turns.value.length, () => {
    const turns = chat.client.turns;
    if (turns.length === 0) return;
    const { conversation } = props;
    const title = titleOf(turns);
    if (conversation?.renamed !== true && conversation?.title !== title && title !== "") {
      props.onChange({ title });
    }
  });
  watch(() => chat.status.value, (status, before) => {
    // The same words are heard again only where something else stood between them.
    if (status === "submitted") ui.announce("");
    if (status === "streaming" && before !== "streaming") ui.announce(ui.t("announce.started"));
    // A short answer may come whole, in one frame.
    if ((before === "streaming" || before === "submitted") && !chat.busy.value) {
      const ended = chat.client.turns.at(-1)?.answer?.status;
      // What failed is an alert, which is heard by itself.
      if (ended === undefined || ended === "failed") return;
      ui.announce(
        ui.t(
          ended === "cancelled"
            ? "announce.stopped"
            : ended === "completed"
            ? "announce.completed"
            : "announce.failed",
        ),
      );
    }
  });

  /** What was chosen for this conversation, as far as the gateway still allows it. */
  const options = (): MessageOptions =>
    allowedOptions(props.conversation?.options ?? {}, chat.connection.value.options);
  /** To complete what is typed: the gateway's default, and what other conversations here were answered by. */
  const knownModels = () => {
    const { model } = chat.connection.value.options ?? {};
    return [...new Set([...(model === undefined ? [] : [model]), ...props.usedModels])];
  };
  const goOn = <A extends unknown[]>(step: (...given: A) => void) => (...given: A) => {
    ui.hush();
    step(...given);
  };
  const heeding: ChatStream = {
    ...chat,
    retry: goOn(chat.retry),
    regenerate: goOn(chat.regenerate),
    edit: goOn(chat.edit),
    switchTo: goOn(chat.switchTo),
  };
  /** Which step between versions had the focus: the turn that takes the place of this one takes it over. */
  const stepped = shallowRef<string | undefined>(undefined);
  const send = (input: MessageInput) => {
    ui.hush();
    chat.send(input, options());
    props.onChange({ updated: environment.date() });
    stick.toBottom();
  };
  const onEscape = (event: KeyboardEvent) => {
    if (
      !isEscape(event) || event.defaultPrevented || document.querySelector("dialog[open]")
    ) return;
    if (chat.busy.value) {
      chat.stop();
      toComposer();
    }
  };
  onMounted(() => document.addEventListener("keydown", onEscape));
  onBeforeUnmount(() => document.removeEventListener("keydown", onEscape));

  const empty = (): VNodeChild => (
    <section class="empty">
      {wheel(false)}
      <h2>{ui.t("empty.title")}</h2>
      <p>{ui.t("empty.text")}</p>
      <ul class="prompts">
        {PROMPTS.map((key) => (
          <li key={key}>
            <button type="button" onClick={() => send(ui.t(key))}>{ui.t(key)}</button>
          </li>
        ))}
      </ul>
    </section>
  );

  return () => {
    const turns = shown.value;
    const connection = chat.connection.value;
    const loading = turns.length === 0 && connection.phase === "idle";
    return (
      <main class="chat" inert={props.covered}>
        <header class="chat-head">
          <button
            type="button"
            class="quiet icon-only only-narrow"
            aria-label={ui.t("app.menu")}
            onClick={props.onMenu}
          >
            {icon("menu")}
          </button>
          <h1 dir="auto">{props.conversation?.title || ui.t("list.untitled")}</h1>
          <StatusPill connection={connection} />
          <button
            type="button"
            class="quiet model"
            onClick={() => settingsOpen.value = true}
            aria-label={ui.t("app.settings")}
          >
            <span class="label" dir="auto">
              {options().model ?? connection.options?.model ?? ui.t("settings.modelDefault")}
            </span>
            {icon("settings")}
          </button>
        </header>
        <div class="scroller" ref={stick.scroller} tabindex="-1">
          <div
            class="log"
            ref={stick.content}
            role="log"
            aria-live="off"
            aria-label={ui.t("log.label")}
          >
            {loading
              ? (
                <div class="skeleton" aria-hidden="true">
                  <span />
                  <span />
                  <span />
                </div>
              )
              : turns.length === 0
              ? empty()
              : turns.map((view: TurnView, place: number) => (
                <TurnItem
                  key={view.key}
                  view={view}
                  chat={heeding}
                  stepped={stepped}
                  last={place === turns.length - 1}
                  options={options}
                />
              ))}
          </div>
        </div>
        <div class="dock">
          {stick.pinned.value ? null : (
            <button
              type="button"
              class="round latest"
              aria-label={ui.t("log.latest")}
              title={ui.t("log.latest")}
              onClick={() => stick.toBottom(true)}
            >
              {icon("down")}
            </button>
          )}
          {props.covered ? null : <Toasts />}
          <ConnectionBar
            connection={connection}
            onReconnect={() => chat.reconnect()}
            onKey={(key: string) => {
              accessKey.write(key);
              chat.reconnect();
            }}
          />
          <Composer
            busy={chat.busy.value}
            limit_bytes={connection.limits?.message_bytes}
            draftKey={props.isNew ? "new" : props.id}
            onSend={send}
            onStop={() => chat.stop()}
          />
        </div>
        {settingsOpen.value
          ? (
            <SettingsDialog
              options={props.conversation?.options ?? {}}
              gateway={connection.options}
              knownModels={knownModels()}
              onChange={(next: MessageOptions) => props.onChange({ options: next })}
              onClose={() => {
                settingsOpen.value = false;
                toComposer();
              }}
            />
          )
          : null}
      </main>
    );
  };
}, {
  name: "ChatPane",
  props: [
    "id",
    "conversation",
    "isNew",
    "usedModels",
    "sought",
    "covered",
    "onChange",
    "onRemoved",
    "onMenu",
  ],
});
