import { createApp, defineComponent, h, shallowRef } from "vue";
import { IndexedSessionStore } from "./browser/indexed-store.ts";
import { useChatStream } from "./vue/useChatStream.ts";

const App = defineComponent<Record<never, never>>(() => {
  const chat = useChatStream({ key: "default", store: new IndexedSessionStore() });
  const draft = shallowRef("");
  const submit = (event: Event) => {
    event.preventDefault();
    if (draft.value.trim() === "") return;
    chat.send(draft.value);
    draft.value = "";
  };
  return () => (
    <main>
      <p role="status" data-testid="connection">{chat.connection.value.phase}</p>
      <div data-testid="log">
        {chat.turns.value.map((turn) => (
          <article key={turn.id}>
            <p class="question">{turn.question}</p>
            <pre class="answer">{turn.text}</pre>
            <small>{turn.status}</small>
          </article>
        ))}
      </div>
      <form onSubmit={submit}>
        <textarea
          aria-label="Message"
          value={draft.value}
          onInput={(event: Event) => draft.value = (event.target as HTMLTextAreaElement).value}
        />
        {chat.busy.value
          ? <button type="button" onClick={() => chat.stop()}>Stop</button>
          : <button type="submit">Send</button>}
      </form>
    </main>
  );
}, { name: "App" });

createApp(App).mount("#app");
