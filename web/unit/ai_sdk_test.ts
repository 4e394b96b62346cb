/// <reference lib="deno.ns" />
import { MillraceChatTransport } from "../src/ai-sdk/transport.ts";
import type { UIMessage, UIMessageChunk } from "../src/ai-sdk/types.ts";
import { MemoryStore } from "../src/core/store.ts";
import { equal, ok } from "./assert.ts";
import { FakeGateway, FakeWorld } from "./fake.ts";

const said = (id: string, text: string) => ({
  id,
  role: "user" as const,
  parts: [{ type: "text", text }],
});

/** Lets time pass until a promise has its answer. */
async function pass<T>(world: FakeWorld, promise: Promise<T>, each?: () => void): Promise<T> {
  let done = false;
  promise.finally(() => done = true).catch(() => {});
  for (let step = 0; step < 400 && !done; step++) {
    world.run(20);
    each?.();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
  ok(done, "it never ended");
  return await promise;
}

/**
 * All chunks of a stream, checked against what the SDK's reader insists on: one start first; steps, texts and tool
 * calls opened before they are used and closed once; nothing after the end.
 */
async function read(stream: ReadableStream<UIMessageChunk>, world: FakeWorld, each?: () => void) {
  const chunks: UIMessageChunk[] = [];
  const reader = stream.getReader();
  const all = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      chunks.push(value);
    }
  };
  await pass(world, all(), each);
  assertOrder(chunks);
  return chunks;
}

function assertOrder(chunks: readonly UIMessageChunk[]): void {
  const open = new Set<string>(), known = new Set<string>();
  const tools = new Map<string, "streaming" | "available" | "ended">();
  let step: "none" | "open" | "closed" = "none", ended = false;
  chunks.forEach((chunk, place) => {
    const context = `chunk ${place}, ${JSON.stringify(chunk)}`;
    ok(!ended, `${context}: after the end`);
    if (chunk.type === "error" && place === 0) return;
    if (place === 0) equal(chunk.type, "start", context);
    switch (chunk.type) {
      case "start":
        equal(place, 0, context);
        break;
      case "start-step":
        ok(step !== "open", context);
        step = "open";
        break;
      case "finish-step":
        equal(step, "open", context);
        equal([...open], [], context);
        step = "closed";
        break;
      case "text-start":
      case "reasoning-start":
        ok(!known.has(chunk.id), context);
        known.add(chunk.id);
        open.add(chunk.id);
        break;
      case "text-delta":
      case "reasoning-delta":
        ok(open.has(chunk.id), context);
        ok(chunk.delta !== "", context);
        break;
      case "text-end":
      case "reasoning-end":
        ok(open.delete(chunk.id), context);
        break;
      case "tool-input-start":
        ok(!tools.has(chunk.toolCallId), context);
        tools.set(chunk.toolCallId, "streaming");
        break;
      case "tool-input-delta":
        equal(tools.get(chunk.toolCallId), "streaming", context);
        break;
      case "tool-input-available":
        equal(tools.get(chunk.toolCallId), "streaming", context);
        tools.set(chunk.toolCallId, "available");
        break;
      case "tool-input-error":
        equal(tools.get(chunk.toolCallId), "streaming", context);
        tools.set(chunk.toolCallId, "ended");
        break;
      case "tool-output-available":
      case "tool-output-error":
        equal(tools.get(chunk.toolCallId), "available", context);
        tools.set(chunk.toolCallId, "ended");
        break;
      case "finish":
      case "abort":
        ended = true;
        break;
    }
  });
  equal([...open], [], "texts that never ended");
  ok(![...tools.values()].includes("streaming"), "tool calls whose input never ended");
  ok(ended, "no end");
}

const textOf = (chunks: readonly UIMessageChunk[]) =>
  chunks.map((chunk) => chunk.type === "text-delta" ? chunk.delta : "").join("");

function send(
  transport: MillraceChatTransport,
  text: string,
  abortSignal?: AbortSignal,
  id = "u-1",
) {
  return transport.sendMessages({
    trigger: "submit-message",
    chatId: "c1",
    messageId: undefined,
    messages: [said(id, text)],
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
  ok(chunks.some((chunk) => chunk.type === "text-end"), "what was said stays a finished part");
  equal(gateway.cancelled.size, 1);
});

Deno.test("AI SDK: after a reload the running answer is found again, from its beginning", async () => {
  const world = new FakeWorld();
  const gateway = new FakeGateway(world);
  gateway.pieces = 60;
  const store = new MemoryStore();
  const options = { url: "ws://gateway", environment: world, store };
  const first = new MillraceChatTransport(options);
  await pass(world, send(first, "hello"));
  world.run(300);
  first.dispose();
  const second = new MillraceChatTransport(options);
  const stream = await pass(world, second.reconnectToStream({ chatId: "c1" }));
  ok(stream !== null);
  const chunks = await read(stream, world);
  equal(
    textOf(chunks),
    gateway.log.map((event) => event.type === "delta" ? event.text : "").join(""),
  );
  equal(chunks.at(-1)?.type, "finish");
  const third = new MillraceChatTransport(options);
  second.dispose();
  equal(await pass(world, third.reconnectToStream({ chatId: "c1" })), null);
});

/** A store that answers later, as a browser's does. */
class SlowStore extends MemoryStore {
  override load(key: string) {
    return Promise.resolve(super.load(key)) as unknown as ReturnType<MemoryStore["load"]>;
  }
}

function begin(gateway = (_: FakeGateway) => {}) {
  const world = new FakeWorld(), server = new FakeGateway(world);
  server.freshSessions = true;
  gateway(server);
  const store = new SlowStore();
  const open = () => new MillraceChatTransport({ url: "ws://gateway", environment: world, store });
  return { world, server, open };
}

const asked = (server: FakeGateway) => server.started.map((id) => id);

Deno.test("AI SDK: another answer, again and again, and after a reload too", async () => {
  const { world, server, open } = begin();
  let transport = open();
  const ask = async (trigger: "submit-message" | "regenerate-message", messageId?: string) =>
    await read(
      await pass(
        world,
        transport.sendMessages({
          trigger,
          chatId: "c1",
          messageId,
          messages: [said("u-1", "hello")],
          abortSignal: undefined,
        }),
      ),
      world,
    );
  const answers = [await ask("submit-message"), await ask("regenerate-message", "r_b")];
  answers.push(await ask("regenerate-message", "r_c"));
  transport.dispose();
  world.run(100);
  transport = open();
  answers.push(await ask("regenerate-message"));
  equal(asked(server), ["u-1", "u-1:2", "u-1:3", "u-1:4"]);
  equal(new Set(answers.map((chunks) => JSON.stringify(chunks[0]))).size, 4);
  // Sent once more as it was, it starts nothing.
  const same = await ask("submit-message");
  equal(asked(server).length, 4);
  equal(textOf(same), textOf(answers[3]!));
});

Deno.test("AI SDK: an edited message is asked anew, with what was said before it", async () => {
  const { world, server, open } = begin();
  const transport = open();
  const ask = async (messages: ReturnType<typeof said>[], messageId?: string) =>
    await read(
      await pass(
        world,
        transport.sendMessages({
          trigger: "submit-message",
          chatId: "c1",
          messageId,
          messages,
          abortSignal: undefined,
        }),
      ),
      world,
    );
  await ask([said("u-1", "first")]);
  await ask([said("u-1", "first"), said("u-2", "secnd")]);
  await ask([said("u-1", "first"), said("u-2", "second")], "u-2");
  equal(asked(server), ["u-1", "u-2", "u-2:2"]);
  const input = JSON.stringify(server.log.find((event) => event.type === "message")?.input);
  ok(input.includes("first") && input.includes('"second"') && !input.includes("secnd"), input);
});

Deno.test("AI SDK: a conversation that only the application knows is told with its next message", async () => {
  const { world, server, open } = begin();
  const messages: UIMessage[] = [
    said("u-1", "The word is willow."),
    { id: "a-1", role: "assistant", parts: [{ type: "text", text: "Noted." }] },
    said("u-2", "Which word?"),
  ];
  const stream = await pass(
    world,
    open().sendMessages({
      trigger: "submit-message",
      chatId: "c1",
      messageId: undefined,
      messages,
      abortSignal: undefined,
    }),
  );
  await read(stream, world);
  equal(server.log[0]?.input, [
    { role: "user", content: [{ type: "input_text", text: "The word is willow." }] },
    { role: "assistant", content: "Noted." },
    { role: "user", content: "Which word?" },
  ]);
});

Deno.test("AI SDK: a resume that a newer one replaces is let go, and the answer goes on", async () => {
  const { world, server, open } = begin((server) => server.pieces = 60);
  const first = open();
  await pass(world, send(first, "hello"));
  world.run(200);
  first.dispose();
  const transport = open();
  const old = new AbortController();
  const stream = await pass(
    world,
    transport.reconnectToStream({ chatId: "c1", abortSignal: old.signal }),
  );
  ok(stream !== null);
  // As the SDK does it: the abort, and in the same breath the next request.
  old.abort();
  const next = transport.reconnectToStream({
    chatId: "c1",
    abortSignal: new AbortController().signal,
  });
  await stream.cancel();
  const chunks = await read((await pass(world, next))!, world);
  equal(chunks.at(-1)?.type, "finish");
  equal(server.cancelled.size, 0);
  // An abort that nothing follows is a stop.
  server.pieces = 10_000;
  await (await pass(world, send(transport, "hello, again", undefined, "u-2"))).cancel();
  const stop = new AbortController();
  const resumed = await pass(
    world,
    transport.reconnectToStream({ chatId: "c1", abortSignal: stop.signal }),
  );
  stop.abort();
  equal((await read(resumed!, world)).at(-1)?.type, "abort");
  equal(server.cancelled.size, 1);
});

Deno.test("AI SDK: what is aborted before it is sent is never sent", async () => {
  const { world, server, open } = begin();
  const abort = new AbortController();
  const pending = send(open(), "hello", abort.signal);
  abort.abort();
  const reader = (await pass(world, pending)).getReader();
  equal((await reader.read()).done, true);
  world.run(1_000);
  equal(server.started, []);
});

Deno.test("AI SDK: tools of the application are asked for, answered, and the same message goes on", async () => {
  const { world, server, open } = begin();
  server.script = (message) =>
    message === "u-1"
      ? [
        {
          type: "tool",
          index: 0,
          kind: "function",
          status: "in_progress",
          call_id: "call_1",
          name: "weather",
        },
        { type: "tool", index: 0, kind: "function", status: "in_progress", delta: '{"city":' },
        {
          type: "tool",
          index: 0,
          kind: "function",
          status: "completed",
          call_id: "call_1",
          name: "weather",
          arguments: '{"city":"Oslo"}',
        },
        { type: "item", index: 0, item: { type: "function_call", call_id: "call_1" } },
      ]
      : [{ type: "delta", index: 0, kind: "text", text: "It rains." }];
  const transport = open();
  const chunks = await read(await pass(world, send(transport, "weather?")), world);
  ok(chunks.some((chunk) => chunk.type === "finish" && chunk.finishReason === "tool-calls"));
  const input = chunks.find((chunk) => chunk.type === "tool-input-available");
  equal(input?.type === "tool-input-available" ? input.input : undefined, { city: "Oslo" });
  const assistant: UIMessage = {
    id: "r_b",
    role: "assistant",
    parts: [{ type: "step-start" }, {
      type: "dynamic-tool",
      toolName: "weather",
      toolCallId: "call_1",
      state: "output-available",
      input: { city: "Oslo" },
      output: { sky: "rain" },
    }],
  };
  const rest = await read(
    await pass(
      world,
      transport.sendMessages({
        trigger: "submit-message",
        chatId: "c1",
        messageId: "r_b",
        messages: [said("u-1", "weather?"), assistant],
        abortSignal: undefined,
      }),
    ),
    world,
  );
  // A start that named another message would show the call twice.
  equal(rest[0], { type: "start" });
  equal(textOf(rest), "It rains.");
  equal(server.log.findLast((event) => event.type === "message")?.input, [
    { type: "function_call_output", call_id: "call_1", output: '{"sky":"rain"}' },
  ]);
});

Deno.test("AI SDK: reasoning, hosted tools, sources and pictures in the SDK's order", async () => {
  const { world, server, open } = begin();
  const note = (annotation: object) => ({
    type: "upstream_event",
    index: 3,
    event: { type: "response.output_text.annotation.added", content_index: 0, annotation },
  });
  server.script = () => [
    { type: "delta", index: 0, kind: "reasoning_summary", text: "Hm." },
    { type: "delta", index: 0, kind: "reasoning_summary", part: 1, text: "Yes." },
    { type: "item", index: 0, item: { type: "reasoning", summary: [] } },
    { type: "tool", index: 1, kind: "web_search", status: "searching", call_id: "ws_1" },
    { type: "tool", index: 1, kind: "web_search", status: "completed", call_id: "ws_1" },
    { type: "item", index: 1, item: { type: "web_search_call", status: "completed" } },
    { type: "tool", index: 2, kind: "mcp", status: "in_progress", call_id: "mcp_1", name: "read" },
    { type: "tool", index: 2, kind: "mcp", status: "failed", call_id: "mcp_1", output: "denied" },
    { type: "delta", index: 3, kind: "text", text: "So." },
    note({
      type: "url_citation",
      url: "http://a.example/",
      title: "A",
      start_index: 0,
      end_index: 3,
    }),
    note({
      type: "url_citation",
      url: "http://a.example/",
      title: "A",
      start_index: 0,
      end_index: 3,
    }),
    note({ type: "file_citation", file_id: "f", filename: "a.pdf", index: 3 }),
    { type: "tool", index: 4, kind: "image_generation", status: "completed", call_id: "ig_1" },
    { type: "item", index: 4, item: { type: "image_generation_call", result: "/9j/AAAA" } },
    {
      type: "tool",
      index: 5,
      kind: "function",
      status: "in_progress",
      call_id: "call_9",
      name: "cut",
    },
    { type: "tool", index: 5, kind: "function", status: "in_progress", delta: '{"ha' },
    { type: "tool", index: 5, kind: "function", status: "incomplete", call_id: "call_9" },
  ];
  const chunks = await read(await pass(world, send(open(), "hello")), world);
  const count = (type: string) => chunks.filter((chunk) => chunk.type === type).length;
  equal(count("reasoning-start"), 2);
  equal([count("source-url"), count("source-document")], [1, 1]);
  equal([count("tool-output-available"), count("tool-output-error"), count("tool-input-error")], [
    2,
    1,
    1,
  ]);
  const file = chunks.find((chunk) => chunk.type === "file");
  equal(file, { type: "file", mediaType: "image/jpeg", url: "data:image/jpeg;base64,/9j/AAAA" });
});

Deno.test("AI SDK: a refused message is an error", async () => {
  const { world, open } = begin((server) => {
    server.refuse = { code: "option_not_allowed", message: "Not allowed.", retryable: false };
  });
  const reader = (await pass(world, send(open(), "hello"))).getReader();
  equal((await pass(world, reader.read())).value, { type: "error", errorText: "Not allowed." });
  equal((await reader.read()).done, true);
});

Deno.test("an answer ends where another page removes its chat, and the next message begins anew", async () => {
  const world = new FakeWorld(), store = new MemoryStore();
  const gateway = new FakeGateway(world);
  const transport = new MillraceChatTransport({
    url: "ws://gateway/v1/chat",
    environment: world,
    store,
  });
  const send = (id: string) =>
    pass(
      world,
      transport.sendMessages({
        chatId: "chat",
        messages: [said(id, "hello")],
        trigger: "submit-message",
        messageId: undefined,
        abortSignal: undefined,
      }),
    );
  const stream = await send("m1"), client = transport.client("chat");
  await pass(
    world,
    new Promise<void>((resolve) => client.subscribe(() => client.turns[0]?.answer && resolve())),
  );
  store.remove("chat");
  void client.reload();
  const chunks = await read(stream, world);
  equal(chunks.at(-1)!.type, "abort");
  equal(client.connection.phase, "closed");
  gateway.session = "s_2";
  gateway.log.length = 0;
  const again = await read(await send("m2"), world);
  equal(again.at(-1)!.type, "finish");
});
