import { defineComponent, h, nextTick, onBeforeUnmount, onMounted, shallowRef } from "vue";
import { IndexedConversationStore } from "../browser/indexed-conversations.ts";
import { IndexedSessionStore } from "../browser/indexed-store.ts";
import type { Environment } from "../core/environment.ts";
import { exportMarkdown } from "../core/conversation-markdown.ts";
import { type Conversation, exportJson } from "../core/conversations.ts";
import { useConversations } from "../vue/useConversations.ts";
import { ChatPane, type Sought } from "./ChatPane.tsx";
import { download, provideUi } from "./context.ts";
import { Sidebar } from "./Sidebar.tsx";

/** The whole page: conversations at the side, one of them open. The address says which, so a reload finds it again. */
export const App = defineComponent<{ environment?: Environment }>((props) => {
  const ui = provideUi(props.environment);
  const sessions = new IndexedSessionStore();
  const conversations = useConversations({
    store: new IndexedConversationStore(),
    sessions,
    environment: ui.environment,
  });
  void conversations.reload().catch(() => ui.toast(ui.t("notice.notSaved"), "lasting"));

  const fromAddress = () => /^#\/c\/([\w-]{1,64})$/.exec(location.hash)?.[1];
  const current = shallowRef(fromAddress() ?? conversations.newId());
  const menuOpen = shallowRef(false);

  const closeMenu = () => {
    menuOpen.value = false;
    nextTick(() => document.querySelector<HTMLElement>(".chat-head button")?.focus());
  };
  const sought = shallowRef<Sought | undefined>(undefined);
  const choose = (id: string, turn?: string) => {
    sought.value = turn === undefined ? undefined : { id, turn };
    if (id === current.value && menuOpen.value) closeMenu(); // No new chat takes the focus.
    current.value = id;
    menuOpen.value = false;
    if (fromAddress() !== id) history.pushState(null, "", `#/c/${id}`);
  };
  const startNew = () => {
    current.value = conversations.newId();
    menuOpen.value = false;
    history.pushState(null, "", location.pathname);
  };
  /** Removed by whom, this page need not say to itself. */
  let removedHere = "";
  const remove = (id: string) => {
    removedHere = id;
    // Off the list it is in any case; where the browser keeps nothing there is nothing to delete.
    void conversations.remove(id).catch(() => {});
  };
  const leaveRemoved = async (id: string) => {
    if (id !== current.value) return;
    startNew();
    if (id === removedHere) return;
    // This page may have listed it again before it heard of that.
    if (conversations.get(id) !== undefined) remove(id);
    await nextTick(); // The chat that is left has hushed what was said.
    ui.toast(ui.t("notice.removed"));
  };
  const onAddress = () => {
    const id = fromAddress();
    if (id !== undefined) current.value = id;
    else if (location.hash === "" && conversations.get(current.value) !== undefined) {
      current.value = conversations.newId();
    }
  };
  onMounted(() => globalThis.addEventListener("popstate", onAddress));
  onBeforeUnmount(() => globalThis.removeEventListener("popstate", onAddress));

  const change = (update: Partial<Omit<Conversation, "id">>) => {
    conversations.update(current.value, update);
    // From its first message on a conversation has an address.
    if (fromAddress() !== current.value) history.replaceState(null, "", `#/c/${current.value}`);
  };
  const exportFile = async (conversation: Conversation, format: "markdown" | "json") => {
    const session = await sessions.load(conversation.id).catch(() => undefined);
    if (session === undefined) return ui.toast(ui.t("list.exportFailed"), "warning");
    const { turns } = session;
    const name = conversation.title.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)
      .replace(/^-|-$/g, "") || "chat";
    if (format === "json") {
      download(ui, `${name}.json`, "application/json", exportJson(conversation, turns));
    } else {
      download(ui, `${name}.md`, "text/markdown", exportMarkdown(conversation, turns));
    }
  };

  return () => (
    <div class="app">
      <button
        type="button"
        class="skip"
        onClick={() => document.getElementById("composer")?.focus()}
      >
        {ui.t("app.skip")}
      </button>
      <Sidebar
        conversations={conversations}
        current={current.value}
        open={menuOpen.value}
        onChoose={choose}
        onNew={startNew}
        onRemove={remove}
        onClose={closeMenu}
        onExport={(conversation: Conversation, format: "markdown" | "json") =>
          void exportFile(conversation, format)}
      />
      {menuOpen.value ? <div class="scrim" onClick={closeMenu} aria-hidden="true" /> : null}
      <ChatPane
        key={current.value}
        id={current.value}
        isNew={fromAddress() !== current.value}
        covered={menuOpen.value}
        conversation={conversations.get(current.value)}
        usedModels={conversations.list.value.flatMap(({ options }) => options?.model ?? [])}
        sought={sought.value?.id === current.value ? sought.value : undefined}
        onChange={change}
        onRemoved={(id: string) => void leaveRemoved(id)}
        onMenu={() => menuOpen.value = true}
      />
      <div class="visually-hidden" role="status" aria-live="polite" data-testid="announcer">
        {ui.announcement.value}
      </div>
    </div>
  );
}, { name: "App", props: ["environment"] });
