/// <reference lib="deno.ns" />
import { MillraceChatTransport } from "../src/ai-sdk/transport.ts";
import type { UIMessageChunk } from "../src/ai-sdk/types.ts";
import { MemoryStore } from "../src/core/store.ts";
import { equal, ok } from "./assert.ts";
import { FakeGateway, FakeWorld } from "./fake.ts";

const said = (id: string, text: string) => ({
  id,
  role: "user" as const,
  parts: [{ type: "text", text }],
});

async function read(stream: ReadableStream<UIMessageChunk>, world: FakeWorld, each?: () => void) {
  const chunks: UIMessageChunk[] = [];
  const reader = stream.getReader();
  const done = (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      chunks.push(value);
    }
  })();
  for (let step = 0; step < 200; step++) {
    world.run(20);
    each?.();
    await Promise.resolve();
    await Promise.resolve();
  }
  await done;
  return chunks;
}

function send(transport: MillraceChatTransport, text: string, abortSignal?: AbortSignal) {
  return transport.sendMessages({
    trigger: "submit-message",
    chatId: "c1",
    messageId: undefined,
    messages: [said("u-1", text)],
    abortSignal,
  });
}

Deno.test("AI SDK: a message becomes a stream in the order that the SDK asks for", async () => {
  const world = new FakeWorld();
  new FakeGateway(world);
  const transport = new MillraceChatTransport({ url: "ws://gateway", environment: world });
  const chunks = await read(await send(transport, "hello"), world);
  const types = chunks.map((chunk) => chunk.type).filter((type, place, all) =>
    type !== all[place - 1]
  );
  equal(types, [
    "start",
    "start-step",
    "text-start",
    "text-delta",
    "text-end",
    "finish-step",
    "finish",
  ]);
  ok(chunks.some((chunk) => chunk.type === "finish" && chunk.finishReason === "stop"));
});

Deno.test("AI SDK: the abort signal cancels at the gateway", async () => {
  const world = new FakeWorld();
  const gateway = new FakeGateway(world);
  gateway.pieces = 10_000;
  const transport = new MillraceChatTransport({ url: "ws://gateway", environment: world });
  const abort = new AbortController();
  const stream = await send(transport, "hello", abort.signal);
  let steps = 0;
  const chunks = await read(stream, world, () => {
    if (++steps === 20) abort.abort();
  });
  equal(chunks.at(-1)?.type, "abort");
  equal(gateway.cancelled.size, 1);
});

Deno.test("AI SDK: after a reload the running answer is found again, from its beginning", async () => {
  const world = new FakeWorld();
  const gateway = new FakeGateway(world);
  gateway.pieces = 60;
  const store = new MemoryStore();
  const options = { url: "ws://gateway", environment: world, store };
  const first = new MillraceChatTransport(options);
  await send(first, "hello");
  world.run(300);
  first.dispose();
  const second = new MillraceChatTransport(options);
  const pending = second.reconnectToStream({ chatId: "c1" });
  world.run(50);
  const stream = await pending;
  ok(stream !== null);
  const chunks = await read(stream, world);
  const text = chunks.map((chunk) => chunk.type === "text-delta" ? chunk.delta : "").join("");
  equal(text, gateway.log.map((event) => event.type === "delta" ? event.text : "").join(""));
  equal(chunks.at(-1)?.type, "finish");
  const third = new MillraceChatTransport(options);
  second.dispose();
  const nothing = third.reconnectToStream({ chatId: "c1" });
  world.run(200);
  equal(await nothing, null);
});
