/// <reference lib="deno.ns" />
import { effectScope, watch } from "vue";
import { isSettled } from "../src/core/turn.ts";
import type { FrameScheduler } from "../src/vue/scheduler.ts";
import {
  type Conversation,
  type ConversationStore,
  MemoryConversationStore,
} from "../src/core/conversations.ts";
import { useConversations } from "../src/vue/useConversations.ts";
import { useChatStream } from "../src/vue/useChatStream.ts";
import { equal, ok } from "./assert.ts";
import { FakeGateway, FakeWorld } from "./fake.ts";

/** Frames come when the test says so. */
class Frames implements FrameScheduler {
  asked = 0;
  #flush: (() => void) | undefined;

  request(flush: () => void): void {
    this.asked++;
    this.#flush = flush;
  }

  cancel(): void {
    this.#flush = undefined;
  }

  draw(): void {
    const flush = this.#flush;
    this.#flush = undefined;
    flush?.();
  }
}

Deno.test("however many deltas a frame brings, its readers are told once, and those of other turns never", () => {
  const world = new FakeWorld();
  new FakeGateway(world, 1);
  const scheduler = new Frames();
  const scope = effectScope();
  scope.run(() => {
    const url = "ws://gateway/v1/chat";
    const chat = useChatStream({ url, environment: world, scheduler });
    const settle = (count: number) => {
      for (let round = 0; round < 200; round++) {
        world.run(100);
        scheduler.draw();
        const { turns } = chat.client;
        if (turns.length === count && turns.every(isSettled)) return;
      }
      throw new Error("the answer did not end");
    };
    chat.send("first");
    settle(1);
    chat.send("second");
    scheduler.draw();
    const [first, second] = chat.turns.value;
    // A getter runs again, at once, with each write to what it reads.
    const reads = [0, 0];
    [first!, second!].forEach((view, place) =>
      watch(() => [view.turn, reads[place]!++], () => {}, { flush: "sync" })
    );
    scheduler.asked = 0;
    world.run(20_000);
    // Everything has come, and nothing was drawn.
    ok(scheduler.asked > 10, `${scheduler.asked} changes`);
    equal(reads, [1, 1]);
    scheduler.draw();
    equal(reads, [1, 2]);
    ok(isSettled(chat.client.turns[1]!));
    equal(chat.status.value, "idle");
  });
  scope.stop();
});

/** Answers when it is told to, and may refuse. */
class HeldStore implements ConversationStore {
  refuses = false;
  readonly #kept = new MemoryConversationStore();
  #release: (() => void)[] = [];

  async list(): Promise<Conversation[]> {
    const list = this.#kept.list();
    await new Promise<void>((resolve) => this.#release.push(resolve));
    return list;
  }

  put(conversation: Conversation): Promise<void> {
    if (this.refuses) return Promise.reject(new Error("full"));
    return Promise.resolve(this.#kept.put(conversation));
  }

  remove(id: string): void {
    this.#kept.remove(id);
  }

  async release(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) {
      this.#release.splice(0).forEach((resolve) => resolve());
      await Promise.resolve();
    }
  }
}

Deno.test("a list that is read again leaves nothing out that this page has written, and brings nothing back", async () => {
  const store = new HeldStore(), environment = new FakeWorld();
  const conversations = useConversations({ store, environment, channel: null });
  const ids = () => conversations.list.value.map(({ id }) => id);
  const reload = async (meanwhile: () => unknown) => {
    const read = conversations.reload();
    await Promise.resolve();
    void meanwhile();
    await store.release();
    await read;
  };
  await reload(() => conversations.update("a", { title: "Alder" }));
  equal(ids(), ["a"]);
  store.refuses = true;
  conversations.update("b", { title: "Birch" });
  await reload(() => {});
  equal(ids().sort(), ["a", "b"]);
  await reload(() => conversations.remove("a"));
  equal(ids(), ["b"]);
  await conversations.remove("b");
  await reload(() => {});
  equal(ids(), []);
});
