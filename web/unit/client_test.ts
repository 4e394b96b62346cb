/// <reference lib="deno.ns" />
import { ChatStreamClient } from "../src/core/client.ts";
import type { Change, Notice } from "../src/core/connection-state.ts";
import { MemoryStore } from "../src/core/store.ts";
import type { UpstreamObject } from "../src/core/protocol.ts";
import { Transcript } from "../src/core/transcript.ts";
import { answerText, inputAttachments, inputText, isSettled } from "../src/core/turn.ts";
import { equal, ok } from "./assert.ts";
import { FakeGateway, FakeWorld } from "./fake.ts";

function setUp(seed = 1, store = new MemoryStore()) {
  const world = new FakeWorld(seed);
  const gateway = new FakeGateway(world, seed);
  const notices: Notice[] = [];
  const changes: Change[] = [];
  const begin = () => {
    const client = new ChatStreamClient({ url: "ws://gateway/v1/chat", environment: world, store });
    client.subscribe((change) => {
      changes.push(change);
      if (change.type === "notice") notices.push(change.notice);
    });
    client.start();
    return client;
  };
  return { world, gateway, store, begin, notices, changes };
}

/** What every conversation must satisfy in the end, whatever happened on the way. */
function assertTrue(client: ChatStreamClient, gateway: FakeGateway, seed: number) {
  const context = `seed ${seed}`;
  equal(client.position.seq, gateway.log.length, `${context}: position`);
  equal(new Set(gateway.started).size, gateway.started.length, `${context}: billed twice`);
  equal(client.turns.map((turn) => turn.id), gateway.started, `${context}: turns`);
  for (const turn of client.turns) {
    ok(isSettled(turn), `${context}: ${turn.id} never ended`);
    const said = gateway.log.filter((event) =>
      event.type === "delta" && event.response === turn.answer?.id
    ).map((event) => event.text).join("");
    equal(answerText(turn.answer), said, `${context}: text of ${turn.id}`);
    ok(
      turn.answer?.integrity === "verified" || turn.answer?.from_snapshot,
      `${context}: ${turn.answer?.integrity}`,
    );
  }
}

Deno.test("a message streams in, in order, and is verified", () => {
  const { world, gateway, begin } = setUp();
  const client = begin();
  const turn = client.send("hello");
  equal(turn.delivery, "queued");
  world.run(2_000);
  equal(turn.answer?.status, "completed");
  equal(turn.answer?.integrity, "verified");
  assertTrue(client, gateway, 1);
});

Deno.test("a cut at every single event loses and repeats nothing", () => {
  for (let cut = 1; cut <= 15; cut++) {
    const { world, gateway, begin } = setUp(cut);
    const client = begin();
    client.send("hello");
    let done = false;
    client.subscribe(() => {
      if (done || client.position.seq < cut) return;
      done = true;
      world.sockets.at(-1)!.drop();
    });
    world.run(30_000);
    ok(done, `event ${cut} never came`);
    equal(world.sockets.length, 2, `cut at ${cut}`);
    assertTrue(client, gateway, cut);
  }
});

Deno.test("a cut at every event with a reload instead of a reconnect", () => {
  for (let cut = 1; cut <= 15; cut++) {
    const { world, gateway, begin } = setUp(cut);
    let client = begin();
    client.send("hello");
    while (client.position.seq < cut) world.run(1);
    client.dispose();
    world.run(50);
    client = begin();
    world.run(30_000);
    assertTrue(client, gateway, cut);
  }
});

Deno.test("thousands of seeded faults: drops, stalls, duplicates, disorder, merges, reloads, naps", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const { world, gateway, begin } = setUp(seed);
    gateway.faults = { drop: 0.06, duplicate: 0.04, reorder: 0.04, stall: 0.02, merge: 0.3 };
    let client = begin();
    let sent = 0;
    for (let step = 0; step < 60; step++) {
      const chance = world.random();
      if (chance < 0.12 && sent < 5) {
        client.send(`message ${sent++}`);
      } else if (chance < 0.16) {
        client.stop();
      } else if (chance < 0.22) {
        client.dispose();
        client = begin();
      } else if (chance < 0.26) {
        world.sleep(60_000 * world.random());
        world.signal("wake");
      } else if (chance < 0.3) {
        world.isOnline = !world.isOnline;
        world.signal(world.isOnline ? "online" : "offline");
      }
      world.run(400 * world.random());
    }
    world.isOnline = true;
    world.signal("online");
    gateway.faults = {};
    world.run(600_000);
    for (const turn of [...client.turns]) {
      if (turn.delivery === "withdrawn") client.discard(turn.id);
    }
    assertTrue(client, gateway, seed);
  }
});

Deno.test("an event that is not the next one is a fault, and three of them read the log anew", () => {
  const { world, gateway, begin } = setUp();
  const client = begin();
  client.send("hello");
  world.run(1_000);
  const before = world.sockets.length;
  world.sockets.at(-1)!.say({ ...gateway.log.at(-1)!, seq: gateway.log.length + 2 });
  equal(world.sockets.at(-1)!.closedWith, 4000);
  world.run(5_000);
  equal(world.sockets.length, before + 1);
  assertTrue(client, gateway, 1);
  for (let fault = 0; fault < 3; fault++) {
    world.sockets.at(-1)!.say({
      type: "delta",
      seq: 1,
      response: "r_1",
      index: 0,
      kind: "text",
      text: "",
    });
    world.run(5_000);
  }
  const anew = world.sockets.filter(({ sent: [hello] }) =>
    hello?.type === "hello" && hello.resume?.after === 0
  );
  equal(anew.length, 1);
  assertTrue(client, gateway, 1);
});

Deno.test("a connection that says nothing is found out within ten seconds while an answer runs", () => {
  const { world, gateway, begin } = setUp();
  gateway.pieces = 4_000;
  const client = begin();
  client.send("hello");
  world.run(500);
  const socket = world.sockets.at(-1)!;
  const stalledAt = world.time;
  socket.onSend = () => {};
  const say = socket.sayText.bind(socket);
  socket.sayText = () => {};
  void say;
  while (client.connection.phase === "ready" && world.time < stalledAt + 60_000) world.run(50);
  ok(world.time - stalledAt <= 10_200, `${world.time - stalledAt} ms`);
  world.run(120_000);
  assertTrue(client, gateway, 1);
});

Deno.test("an idle connection is asked at the gateway's rhythm, and not more often", () => {
  const { world, begin } = setUp();
  begin();
  world.run(250_000);
  const pings = world.sockets[0]!.sent.filter((frame) => frame.type === "ping").length;
  ok(pings >= 8 && pings <= 10, `${pings} pings`);
  equal(world.sockets.length, 1);
});

Deno.test("a machine that slept asks before it judges", () => {
  const { world, begin } = setUp();
  const client = begin();
  world.run(1_000);
  world.sleep(3_600_000);
  world.signal("wake");
  world.run(5_000);
  equal(client.connection.phase, "ready");
  equal(world.sockets.length, 1);
});

Deno.test("offline waits for the network, and comes back at once with it", () => {
  const { world, gateway, begin } = setUp();
  const client = begin();
  world.run(100);
  world.isOnline = false;
  world.sockets.at(-1)!.drop();
  equal(client.connection.phase, "offline");
  client.send("later");
  world.run(5_000);
  equal(client.turns[0]!.delivery, "queued");
  world.isOnline = true;
  world.signal("online");
  world.run(2_000);
  equal(client.turns[0]!.answer?.status, "completed");
  assertTrue(client, gateway, 1);
});

Deno.test("attempts spread out and never exceed half a minute", () => {
  const { world, begin } = setUp();
  world.connect = (socket) => world.later(5, () => socket.drop());
  const client = begin();
  world.run(600_000);
  equal(client.connection.phase, "waiting");
  ok(world.sockets.length > 20 && world.sockets.length < 50, `${world.sockets.length} attempts`);
});

Deno.test("the server's hint is never undercut", () => {
  const { world, gateway, begin } = setUp();
  begin();
  world.run(100);
  const socket = world.sockets[0]!;
  socket.say({
    type: "error",
    code: "over_capacity",
    message: "full",
    retryable: true,
    retry_after_ms: 20_000,
  });
  socket.drop(1013);
  world.run(19_999);
  equal(world.sockets.length, 1);
  world.signal("wake");
  equal(world.sockets.length, 1);
  world.run(6_000);
  equal(world.sockets.length, 2);
  void gateway;
});

Deno.test("close codes: who comes back and who does not", () => {
  for (const code of [1003, 1007, 1009, 4400, 4401, 4999]) {
    const { world, begin } = setUp();
    const client = begin();
    world.run(100);
    world.sockets[0]!.drop(code);
    world.run(100_000);
    equal(client.connection.phase, "closed", `${code}`);
    equal(world.sockets.length, 1, `${code}`);
    client.reconnect();
    world.run(100);
    equal(client.connection.phase, "ready", `${code}`);
  }
  for (const code of [1000, 1001, 1002, 1006, 1011, 1012, 1013, 4408, 4409, 4429]) {
    const { world, begin } = setUp();
    const client = begin();
    world.run(100);
    world.sockets[0]!.drop(code);
    world.run(20_000);
    equal(client.connection.phase, "ready", `${code}`);
  }
});

Deno.test("a drain: the running answer is read to its end, then the connection is left", () => {
  const { world, gateway, begin } = setUp();
  gateway.pieces = 300;
  const client = begin();
  client.send("hello");
  world.run(200);
  world.sockets[0]!.say({ type: "going_away", reconnect_after_ms: 1_500 });
  ok(client.connection.draining);
  world.run(1_600);
  equal(world.sockets.length, 1);
  equal(client.turns[0]!.answer?.status, "in_progress");
  world.run(30_000);
  equal(world.sockets.length, 2);
  assertTrue(client, gateway, 1);
});

Deno.test("a drain without a running answer is left at the moment it names", () => {
  const { world, begin } = setUp();
  const client = begin();
  world.run(200);
  world.sockets[0]!.say({ type: "going_away", reconnect_after_ms: 1_500 });
  world.run(1_400);
  equal(world.sockets.length, 1);
  world.run(200);
  equal(world.sockets.length, 2);
  equal(client.connection.draining, undefined);
});

Deno.test("a stop before, during and after; withdrawn, cancelled, nothing", () => {
  const { world, gateway, begin } = setUp();
  gateway.pieces = 1_000;
  const client = begin();
  const early = client.send("never sent");
  client.stop(early.id);
  equal(early.delivery, "withdrawn");
  client.discard(early.id);
  const turn = client.send("hello");
  world.run(300);
  client.stop();
  equal(turn.stopping, true);
  world.run(1_000);
  equal(turn.answer?.status, "cancelled");
  equal(turn.stopping, undefined);
  const cancels = () => world.sockets[0]!.sent.filter((frame) => frame.type === "cancel").length;
  equal(cancels(), 1);
  client.stop();
  world.run(100);
  equal(cancels(), 1);
  assertTrue(client, gateway, 1);
});

Deno.test("a stop without a connection waits for the next one, also over a reload", () => {
  const { world, gateway, begin } = setUp();
  gateway.pieces = 100_000;
  let client = begin();
  client.send("hello");
  world.run(500);
  world.isOnline = false;
  world.sockets[0]!.drop();
  client.stop();
  client.dispose();
  world.isOnline = true;
  client = begin();
  world.run(5_000);
  equal(client.turns[0]!.answer?.status, "cancelled");
});

Deno.test("a lost session keeps what is shown, says so, and tells the story again", () => {
  const { world, gateway, begin, notices } = setUp();
  const client = begin();
  client.send("first");
  world.run(1_000);
  gateway.pieces = 1_000;
  const running = client.send("second");
  world.run(200);
  gateway.session = "s_2";
  gateway.log.length = 0;
  world.sockets[0]!.drop();
  world.run(2_000);
  equal(running.answer?.status, "interrupted");
  ok(notices.some((notice) => notice.type === "session_lost"));
  gateway.pieces = 2;
  gateway.started.length = 0;
  const third = client.send("third");
  world.run(1_000);
  equal(third.answer?.status, "completed");
  const input = gateway.log.find((event) => event.type === "message")!.input as { role: string }[];
  equal(input.map((item) => item.role), ["user", "assistant", "user", "assistant", "user"]);
  equal(third.input, "third");
});

Deno.test("what another client has said in parts is read, and what are no parts is passed over", () => {
  const transcript = new Transcript([], () => 1);
  const input = [
    { role: "user", content: [{ type: "input_text", text: "Hi" }] },
    { role: "assistant", content: [{ type: "output_text", text: "Hello" }, null] },
    { role: "user", content: [null, 5, { type: "input_text", text: { toString: 1 } }] },
  ] as UpstreamObject[];
  transcript.apply({ type: "message", seq: 1, id: "m", input });
  const [told, asked] = transcript.turns;
  equal([inputText(told!.input), answerText(told!.answer)], ["Hi", "Hello"]);
  equal([inputText(asked!.input), inputAttachments(asked!.input)], ["", []]);
});

/** What each message of a session that has just begun was sent with, as far as users said it. */
const saidIn = (world: FakeWorld) =>
  world.sockets.at(-1)!.sent.flatMap((frame) =>
    frame.type !== "message"
      ? []
      : typeof frame.input === "string"
      ? [[frame.input]]
      : [frame.input.filter(({ role }) => role === "user").map(({ content }) => content)]
  );

Deno.test("a fresh session is told nothing that was taken back, refused, or tried again since", () => {
  const { world, gateway, begin } = setUp();
  const client = begin();
  world.run(100);
  client.send("first");
  world.run(2_000);
  gateway.refuse = { code: "message_too_big", message: "too big", retryable: false };
  client.send("refused");
  world.run(100);
  gateway.refuse = undefined;
  const tried = client.send("tried twice");
  world.run(2_000);
  client.retry(tried.id);
  world.run(2_000);
  world.isOnline = false;
  world.sockets.at(-1)!.drop();
  client.stop(client.send("withdrawn").id);
  gateway.session = "s_2";
  gateway.log.length = 0;
  world.isOnline = true;
  world.signal("online");
  world.run(5_000);
  client.send("last");
  equal(saidIn(world), [["first", "tried twice", "last"]]);
});

Deno.test("a message that was sent and never confirmed is not sent to a fresh session", () => {
  const { world, gateway, begin } = setUp();
  const client = begin();
  world.run(100);
  world.sockets[0]!.onSend = () => {};
  const turn = client.send("once");
  equal(turn.delivery, "sent");
  gateway.session = "s_2";
  world.sockets[0]!.drop();
  world.run(5_000);
  equal(turn.delivery, "unconfirmed");
  equal(gateway.started.length, 0);
  const again = client.retry(turn.id)!;
  equal(again.id, `${turn.id}:2`);
  world.run(2_000);
  equal(again.answer?.status, "completed");
});

Deno.test("a refused message: tried again when that may help, else said", () => {
  const { world, gateway, begin } = setUp();
  const client = begin();
  gateway.refuse = {
    code: "rate_limited",
    message: "slow down",
    retryable: true,
    retry_after_ms: 700,
  };
  const turn = client.send("hello");
  world.run(300);
  equal(turn.delivery, "queued");
  gateway.refuse = undefined;
  world.run(2_000);
  equal(turn.answer?.status, "completed");
  gateway.refuse = { code: "option_not_allowed", message: "no such option", retryable: false };
  const other = client.send("hello", { model: "x" });
  world.run(300);
  equal(other.delivery, "refused");
  equal(other.problem?.code, "option_not_allowed");
});

Deno.test("a message above the limit never leaves", () => {
  const { world, gateway, begin } = setUp();
  const client = begin();
  world.run(100);
  const turn = client.send("x".repeat(1_000_001));
  equal(turn.problem?.code, "message_too_big");
  equal(gateway.started.length, 0);
});

Deno.test("a snapshot takes the place of what it stands for", () => {
  const { world, gateway, begin, store } = setUp();
  const client = begin();
  client.send("hello");
  world.run(100);
  client.dispose();
  world.run(5_000);
  gateway.snapshotBelow = gateway.log.length;
  const again = new ChatStreamClient({ url: "ws://gateway", environment: world, store });
  again.start();
  world.run(2_000);
  assertTrue(again, gateway, 1);
  equal(again.turns[0]!.answer?.integrity, "verified");
});

Deno.test("a replay is one change for whoever watches", () => {
  const { world, gateway, begin, store, changes } = setUp();
  gateway.pieces = 500;
  const client = begin();
  client.send("hello");
  world.run(100);
  client.dispose();
  world.run(20_000);
  changes.length = 0;
  const again = new ChatStreamClient({ url: "ws://gateway", environment: world, store });
  let turnChanges = 0;
  again.subscribe((change) => {
    if (change.type === "turn") turnChanges++;
  });
  again.start();
  world.run(10_000);
  equal(turnChanges, 1);
  assertTrue(again, gateway, 1);
});

Deno.test("a text with a wrong checksum is called that", () => {
  const { world, gateway, begin } = setUp();
  const client = begin();
  const append = gateway.append.bind(gateway);
  gateway.append = (event) =>
    append(event.type === "complete" ? { ...event, text_sha256: "0".repeat(64) } : event);
  const turn = client.send("hello");
  world.run(2_000);
  equal(turn.answer?.integrity, "mismatch");
});

Deno.test("branches: another wording, another answer, and back", () => {
  const { world, gateway, begin } = setUp();
  const client = begin();
  client.send("one");
  world.run(1_000);
  const two = client.send("two");
  world.run(1_000);
  gateway.session = "s_2";
  gateway.log.length = 0;
  const other = client.branch(two.id, "two, differently")!;
  world.run(2_000);
  equal(client.turns.length, 2);
  equal(other.answer?.status, "completed");
  equal(other.alternatives?.length, 1);
  const message = gateway.log.find((event) => event.type === "message")!;
  equal((message.input as unknown[]).length, 3);
  client.switchTo(other.id, 0);
  equal(client.turns[1]!.id, two.id);
  equal(client.turns[1]!.version, 0);
  client.switchTo(two.id, 1);
  equal(client.turns[1]!.id, other.id);
  equal(client.turns[1]!.alternatives?.[0]?.[0]?.id, two.id);
});

Deno.test("another page's fresh start wins over an older life", () => {
  const { world, begin, notices } = setUp();
  const one = begin();
  one.send("hello");
  world.run(2_000);
  const two = begin();
  world.run(2_000);
  two.branch(two.turns[0]!.id, "anew");
  world.run(3_000);
  one.send("from the old life");
  world.run(5_000);
  ok(notices.some((notice) => notice.type === "superseded"));
  equal(one.position.epoch, two.position.epoch);
});

Deno.test("a store that refuses is told of once, until it works again", () => {
  const store = new MemoryStore();
  const save = store.save.bind(store);
  let isFull = true;
  store.save = (key, record) => {
    if (isFull) throw new Error("QuotaExceededError");
    return save(key, record);
  };
  const { world, begin, notices } = setUp(1, store);
  const told = () => notices.filter((notice) => notice.type === "not_saved").length;
  const client = begin();
  client.send("one");
  world.run(5_000);
  client.send("two");
  world.run(5_000);
  equal(client.turns[1]!.answer?.status, "completed");
  equal(told(), 1);
  isFull = false;
  client.send("three");
  world.run(5_000);
  isFull = true;
  client.send("four");
  world.run(5_000);
  equal(told(), 2);
});

Deno.test("a store that cannot be read is told of once, and the conversation begins without it", async () => {
  const store = Object.assign(new MemoryStore(), {
    load: () => Promise.reject(new Error("InvalidStateError")),
    save: () => undefined,
  });
  const { world, begin, notices } = setUp(1, store);
  const client = begin();
  client.send("one");
  await client.reload();
  world.run(5_000);
  equal(client.turns.map((turn) => turn.answer?.status), ["completed"]);
  equal(notices.map((notice) => notice.type), ["not_saved"]);
});

Deno.test("unknown frames and fields are passed over, unknown events still count", () => {
  const { world, gateway, begin } = setUp();
  const client = begin();
  world.run(100);
  world.sockets[0]!.say({ type: "weather", sun: true });
  gateway.append({ type: "brand_new", response: "r_0" });
  world.run(100);
  equal(client.position.seq, 1);
  client.send("hello");
  world.run(2_000);
  equal(client.connection.phase, "ready");
  equal(world.sockets.length, 1);
});

Deno.test("nonsense from the other side is a fault, not a crash", () => {
  for (
    const text of [
      "",
      "nonsense",
      "[]",
      "null",
      "{}",
      '{"type":3}',
      '{"type":"delta","seq":-1}',
      '{"type":"snapshot"}',
    ]
  ) {
    const { world, begin } = setUp();
    const client = begin();
    world.run(100);
    world.sockets[0]!.sayText(text);
    world.run(5_000);
    equal(client.connection.phase, "ready", text);
  }
});

Deno.test("nothing is left behind after dispose", () => {
  const { world, begin } = setUp();
  const client = begin();
  client.send("hello");
  world.run(100);
  client.dispose();
  equal(world.sockets[0]!.closedWith, 1000);
  world.run(0);
  const left = world.timers;
  world.run(60_000);
  ok(world.timers <= left);
  equal(world.sockets.length, 1);
});

Deno.test("why a socket does not open is asked for, shown, and forgotten once one does", async () => {
  const { world, gateway, begin } = setUp();
  const accept = world.connect;
  world.connect = (socket) => world.later(1, () => socket.drop());
  const client = begin();
  const why = async (readiness: typeof world.readiness) => {
    world.readiness = readiness;
    const before = world.sockets.length;
    while (world.sockets.length === before) world.run(10);
    world.run(1);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    return client.connection.problem?.code;
  };
  equal(await why(undefined), "close_1006");
  equal(await why({ ready: true }), "refused");
  equal(await why({ ready: false, code: "draining" }), "draining");
  // Until the next answer the last one stands, so that nothing flickers.
  const before = world.sockets.length;
  while (world.sockets.length === before) world.run(10);
  world.run(1);
  equal(client.connection.problem?.code, "draining");
  world.connect = accept;
  world.run(60_000);
  equal(client.connection.phase, "ready");
  equal(client.connection.problem, undefined);
  equal(gateway.started, []);
});

Deno.test("a fresh session is told to other pages once the store has it, and they join it", () => {
  const { world, gateway, store, begin } = setUp();
  gateway.freshSessions = true;
  gateway.pieces = 200;
  const first = begin();
  first.send("one");
  world.run(4_000);
  const second = begin();
  world.run(1_000);
  // As the page does it, by a channel between tabs.
  const stored: string[] = [];
  first.subscribe((change) => {
    if (change.type !== "stored") return;
    stored.push(change.session);
    void second.reload();
  });
  const turn = first.branch(first.turns[0]!.id, "one, differently")!;
  world.run(500);
  equal(stored.length, 1);
  equal(store.load("default")?.session, stored[0]);
  equal(store.load("default")?.turns.at(-1)?.id, turn.id);
  world.run(10_000);
  equal(gateway.started.filter((id) => id === turn.id).length, 1);
  equal(second.turns.at(-1)?.answer?.integrity, "verified");
  equal(second.connection.session, first.connection.session);
});

Deno.test("a seam parts the items, and the text goes on over it", () => {
  const { world, gateway, begin } = setUp();
  gateway.script = () => [
    { type: "delta", index: 0, kind: "text", text: "The wheel turned and" },
    { type: "seam", index: 1, reason: "upstream_truncated" },
    { type: "delta", index: 1, kind: "text", text: " turned." },
    { type: "delta", index: 2, kind: "text", text: "On." },
  ];
  const client = begin();
  const turn = client.send("hello");
  world.run(2_000);
  equal(turn.answer?.seams, [{ index: 1, reason: "upstream_truncated" }]);
  equal(answerText(turn.answer), "The wheel turned and turned.\n\nOn.");
  equal(turn.answer?.integrity, "verified");
});
