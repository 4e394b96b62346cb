/// <reference lib="deno.ns" />
import { effectScope } from "vue";
import { BrowserEnvironment } from "../src/browser/environment.ts";
import { equal, ok } from "./assert.ts";

// Deno is, like Node from version 22 on, a place with a WebSocket but without a page.
Deno.test("on a server: everything can be imported and called, and stays idle", async () => {
  const opened: string[] = [];
  const { WebSocket: original, BroadcastChannel: channel } = globalThis;
  globalThis.WebSocket = class {
    constructor(url: string) {
      opened.push(url);
    }
  } as unknown as typeof WebSocket;
  // An open channel would keep the process from ending.
  globalThis.BroadcastChannel = class {
    constructor(name: string) {
      opened.push(name);
    }
  } as unknown as typeof BroadcastChannel;
  try {
    const library = await import("../src/vue/mod.ts");
    await import("../src/core/mod.ts");
    await import("../src/markdown/mod.ts");
    await import("../src/ai-sdk/mod.ts");
    const scope = effectScope();
    scope.run(() => {
      const store = new library.IndexedSessionStore();
      const chat = library.useChatStream({ store });
      equal(chat.turns.value, []);
      equal([chat.status.value, chat.busy.value, chat.connection.value.phase], [
        "idle",
        false,
        "idle",
      ]);
      chat.start();
      equal(chat.connection.value.phase, "idle");
      const conversations = library.useConversations({
        store: new library.IndexedConversationStore(),
      });
      equal(conversations.found.value, []);
    });
    scope.stop();
  } finally {
    globalThis.WebSocket = original;
    globalThis.BroadcastChannel = channel;
  }
  equal(opened, []);
});

Deno.test("a timer that browsers cannot count to does not go off at once", async () => {
  const environment = new BrowserEnvironment();
  let isOver = false;
  const timer = environment.setTimer(2 ** 32, () => isOver = true);
  await new Promise((done) => setTimeout(done, 50));
  environment.clearTimer(timer);
  ok(!isOver);
});
