import {
  defineComponent,
  h,
  nextTick,
  onBeforeUnmount,
  onMounted,
  shallowRef,
  type VNodeChild,
  watch,
} from "vue";
import type { FoundConversation } from "../core/conversation-search.ts";
import type { Conversation } from "../core/conversations.ts";
import type { MarkedPart } from "../core/marked-text.ts";
import type { MessageKey } from "../i18n/en.ts";
import type { Conversations } from "../vue/useConversations.ts";
import { attachmentDrafts } from "./attachment-drafts.ts";
import { useUi } from "./context.ts";
import { drafts } from "./drafts.ts";
import { icon } from "./Icon.tsx";
import { isEnter, isEscape } from "./keys.ts";
import { Toasts } from "./Toasts.tsx";

interface SidebarProps {
  conversations: Conversations;
  current: string;
  open: boolean;
  /** `turn`: the one to show, where a search found it. */
  onChoose: (id: string, turn?: string) => void;
  onNew: () => void;
  onRemove: (id: string) => void;
  onClose: () => void;
  onExport: (conversation: Conversation, format: "markdown" | "json") => void;
}

const DAY_MS = 86_400_000;

/** A text with the words of a search marked in it. */
function marked(parts: readonly MarkedPart[]): VNodeChild {
  return parts.map(({ text, match }, place) => match ? <mark key={place}>{text}</mark> : text);
}

/** The list of conversations: search, open, rename, export, delete, import. */
export const Sidebar = defineComponent<SidebarProps>((props) => {
  const ui = useUi();
  const menu = shallowRef("");
  const sure = shallowRef(false);
  const renaming = shallowRef("");
  const field = shallowRef<HTMLInputElement | undefined>(undefined);
  const picker = shallowRef<HTMLInputElement | undefined>(undefined);
  const aside = shallowRef<HTMLElement | undefined>(undefined);
  // On a small screen the list lies over the chat: it takes the focus, and gives it back.
  watch(() => props.open, (open) => {
    if (open) nextTick(() => aside.value?.querySelector<HTMLElement>("button, input")?.focus());
  });
  const { conversations } = props;

  /** What had the focus is gone: it returns to where it came from. */
  const focusOn = (id: string) =>
    nextTick(() => {
      const row = aside.value?.querySelector<HTMLElement>(`[data-conversation="${id}"] .more`);
      (row ?? aside.value?.querySelector<HTMLElement>(".new"))?.focus();
    });
  const openMenu = (id: string) => {
    menu.value = menu.value === id ? "" : id;
    sure.value = false;
    // Below the last row that is seen there is no room for it.
    nextTick(() => aside.value?.querySelector(".menu")?.scrollIntoView({ block: "nearest" }));
  };
  const rename = (id: string) => {
    renaming.value = id;
    menu.value = "";
    nextTick(() => field.value?.select());
  };
  const finishRename = (id: string, title: string) => {
    if (renaming.value !== id) return;
    const hadFocus = document.activeElement === field.value;
    renaming.value = "";
    if (hadFocus) void focusOn(id);
    if (title.trim() !== "") conversations.update(id, { title: title.trim(), renamed: true });
  };
  const onPointer = (event: Event) => {
    if (menu.value === "" || (event.target as Element).closest(".menu, .more") !== null) return;
    menu.value = "";
  };
  onMounted(() => document.addEventListener("pointerdown", onPointer));
  onBeforeUnmount(() => document.removeEventListener("pointerdown", onPointer));

  const exportAs = (each: Conversation, format: "markdown" | "json") => {
    menu.value = "";
    void focusOn(each.id);
    props.onExport(each, format);
  };
  const remove = (id: string) => {
    if (!sure.value) {
      sure.value = true;
      return;
    }
    menu.value = "";
    drafts.write(id, "");
    void attachmentDrafts.remove(id);
    props.onRemove(id);
    if (id !== props.current) void focusOn(id);
  };
  const importFiles = async (event: Event) => {
    const input = event.target as HTMLInputElement;
    let problem: MessageKey | undefined;
    for (const file of input.files ?? []) {
      try {
        props.onChoose(await conversations.importFile(await file.text()));
      } catch (error) {
        const isRefused = error instanceof DOMException; // By the store; the file is good.
        problem = isRefused ? "notice.notSaved" : "list.importFailed";
      }
    }
    input.value = "";
    await nextTick(); // The chat that was opened has hushed what was said before.
    if (problem !== undefined) ui.toast(ui.t(problem), "warning");
  };

  const menuView = (each: Conversation): VNodeChild => {
    const entry = (
      name: Parameters<typeof icon>[0],
      label: string,
      run: () => void,
      extra = "",
    ) => <button type="button" class={extra} onClick={run}>{icon(name)}{label}</button>;
    return (
      <div class="menu">
        {entry("edit", ui.t("list.rename"), () => rename(each.id))}
        {entry("save", ui.t("list.exportMarkdown"), () => exportAs(each, "markdown"))}
        {entry("save", ui.t("list.exportJson"), () => exportAs(each, "json"))}
        {entry(
          "trash",
          ui.t(sure.value ? "list.deleteSure" : "list.delete"),
          () => remove(each.id),
          "danger",
        )}
      </div>
    );
  };

  const itemView = ({ conversation: each, ...found }: FoundConversation): VNodeChild => {
    const title = each.title || ui.t("list.untitled");
    if (renaming.value === each.id) {
      return (
        <li key={each.id}>
          <input
            ref={field}
            class="rename"
            dir="auto"
            aria-label={ui.t("list.rename")}
            value={title}
            onBlur={(event: Event) =>
              finishRename(each.id, (event.target as HTMLInputElement).value)}
            onKeydown={(event: KeyboardEvent) => {
              if (isEnter(event)) {
                event.preventDefault(); // Else the key goes on to press what gets the focus.
                finishRename(each.id, (event.target as HTMLInputElement).value);
              } else if (isEscape(event)) {
                event.preventDefault();
                renaming.value = "";
                void focusOn(each.id);
              }
            }}
          />
        </li>
      );
    }
    return (
      <li
        key={each.id}
        data-conversation={each.id}
        class={each.id === props.current ? "current" : ""}
        onKeydown={(event: KeyboardEvent) => {
          if (!isEscape(event) || menu.value !== each.id) return;
          event.preventDefault();
          event.stopPropagation();
          menu.value = "";
          void focusOn(each.id);
        }}
        onFocusout={({ currentTarget, relatedTarget }: FocusEvent) => {
          if (menu.value !== each.id || relatedTarget === null) return;
          // It would lie over what has the focus now.
          if (!(currentTarget as Node).contains(relatedTarget as Node)) menu.value = "";
        }}
      >
        <button
          type="button"
          class="chat-link"
          aria-current={each.id === props.current ? "page" : undefined}
          onClick={() => props.onChoose(each.id, found.snippet?.turn)}
        >
          <span class="title">
            <span dir="auto">{each.title === "" ? title : marked(found.title)}</span>
          </span>
          {found.snippet === undefined
            ? null
            : <span class="snippet" dir="auto">{marked(found.snippet.parts)}</span>}
        </button>
        <button
          type="button"
          class="quiet icon-only more"
          aria-label={ui.t("list.more", { title })}
          aria-expanded={String(menu.value === each.id)}
          onClick={() => openMenu(each.id)}
        >
          {icon("more")}
        </button>
        {menu.value === each.id ? menuView(each) : null}
      </li>
    );
  };

  const groups = () => {
    const now = ui.environment.date();
    const midnight = new Date(now).setHours(0, 0, 0, 0);
    const since = (from: number, to: number) =>
      conversations.found.value.filter(({ conversation: { updated } }) =>
        updated >= from && updated < to
      );
    const week = Math.min(midnight, now - 7 * DAY_MS);
    return [
      ["list.today", since(midnight, Infinity)],
      ["list.week", since(week, midnight)],
      ["list.older", since(-Infinity, week)],
    ] as const;
  };

  /** What is said of the list as a whole. */
  const status = (): MessageKey | undefined => {
    const { query, found, loaded, searching } = conversations;
    const isFound = found.value.length > 0;
    if (!loaded.value) return undefined;
    if (query.value.trim() === "") return isFound ? undefined : "list.empty";
    if (isFound) return "list.found";
    return searching.value ? "list.searching" : "list.none";
  };
  /** Where there is a list to be seen, it is only for those who listen. */
  const statusView = (): VNodeChild => {
    const key = status(), count = conversations.found.value.length;
    return (
      <p class={count > 0 ? "visually-hidden" : "muted none"} role="status">
        {key === undefined ? "" : ui.t(key, { count })}
      </p>
    );
  };

  return () => (
    <aside
      ref={aside}
      onKeydown={(event: KeyboardEvent) => {
        if (!isEscape(event) || !props.open || event.defaultPrevented) return;
        event.stopPropagation();
        props.onClose();
      }}
      class={props.open ? "sidebar open" : "sidebar"}
      aria-label={ui.t("app.menu")}
    >
      <div class="sidebar-head">
        <span class="brand">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="9" />
            <path d="M7 20.5c3-3.4 6-3.4 9 0s6 3.4 9 0M7 14.5c3-3.4 6-3.4 9 0s6 3.400 9 0" />
          </svg>
          Millrace
        </span>
        <button
          type="button"
          class="quiet icon-only only-narrow"
          aria-label={ui.t("app.close")}
          onClick={props.onClose}
        >
          {icon("close")}
        </button>
      </div>
      <button type="button" class="button new" onClick={props.onNew}>
        {icon("plus")}
        {ui.t("list.new")}
      </button>
      <div class="search">
        {icon("search")}
        <input
          type="search"
          dir="auto"
          aria-label={ui.t("list.search")}
          placeholder={ui.t("list.search")}
          value={conversations.query.value}
          onInput={(event: Event) =>
            conversations.query.value = (event.target as HTMLInputElement).value}
          onKeydown={(event: KeyboardEvent) => {
            // The first Escape empties the field; the next one closes the list.
            if (!isEscape(event) || conversations.query.value === "") return;
            event.preventDefault();
            event.stopPropagation();
            conversations.query.value = "";
          }}
        />
      </div>
      <nav aria-label={ui.t("app.menu")}>
        {groups().map(([label, list]) =>
          list.length === 0 ? null : (
            <section key={label}>
              <h2>{ui.t(label)}</h2>
              <ul>{list.map(itemView)}</ul>
            </section>
          )
        )}
        {statusView()}
      </nav>
      {props.open ? <Toasts /> : null}
      <div class="sidebar-foot">
        <input
          ref={picker}
          type="file"
          accept="application/json,.json,text/markdown,.md"
          hidden
          data-testid="import"
          onChange={importFiles}
        />
        <button type="button" class="quiet" onClick={() => picker.value?.click()}>
          {icon("open")}
          {ui.t("list.import")}
        </button>
      </div>
    </aside>
  );
}, {
  name: "Sidebar",
  props: [
    "conversations",
    "current",
    "open",
    "onChoose",
    "onNew",
    "onRemove",
    "onClose",
    "onExport",
  ],
});
