/// <reference lib="deno.ns" />
import { ChatStreamClient } from "../src/core/client.ts";
import { MemoryStore } from "../src/core/store.ts";
import { answerText } from "../src/core/turn.ts";
import { decodeFrames, reconnectRule } from "../src/core/protocol.ts";
import { en } from "../src/i18n/en.ts";
import { equal, ok } from "./assert.ts";
import { FakeGateway, FakeSocket, FakeWorld } from "./fake.ts";
import { firstProblem, type Schema } from "./schema.ts";

const DOCS = new URL("../../docs/", import.meta.url);

function schemaOf(side: "client" | "server"): Schema & { $defs: Record<string, Schema> } {
  return JSON.parse(Deno.readTextFileSync(new URL(`schema/${side}.schema.json`, DOCS)));
}

Deno.test("contract: what both sides say fits the gateway's schemas", () => {
  const client = schemaOf("client"), server = schemaOf("server");
  let sent = 0, received = 0;
  const sayText = FakeSocket.prototype.sayText;
  FakeSocket.prototype.sayText = function (text: string) {
    for (const line of text.split("\n")) {
      const frame = JSON.parse(line);
      // The stand-in's tokens and ids are shorter than real ones; their form is the gateway's own matter.
      const problem = firstProblem(server, frame, server);
      ok(
        problem === undefined || /_token|session|epoch|response/.test(problem),
        `${problem}: ${line}`,
      );
      received++;
    }
    sayText.call(this, text);
  };
  try {
    const world = new FakeWorld(5);
    const gateway = new FakeGateway(world, 5);
    gateway.faults = { merge: 0.3, drop: 0.03 };
    const chat = new ChatStreamClient({ url: "ws://gateway", environment: world, auth: "key" });
    chat.start();
    chat.send("one");
    chat.send([{ role: "user", content: [{ type: "input_text", text: "two" }] }], { model: "m" });
    world.run(3_000);
    chat.send("three");
    world.run(50);
    chat.stop();
    world.run(60_000);
    for (const socket of world.sockets) {
      for (const frame of socket.sent) {
        equal(firstProblem(client, frame, client), undefined, JSON.stringify(frame));
        sent++;
      }
    }
  } finally {
    FakeSocket.prototype.sayText = sayText;
  }
  ok(sent > 4 && received > 25, `${sent} sent, ${received} received`);
});

function golden(name: string): string[] {
  return Deno.readTextFileSync(new URL(`schema/golden/${name}.jsonl`, DOCS)).trim().split("\n");
}

Deno.test("contract: the gateway's own frames fit its schemas, and every type is among them", () => {
  const server = schemaOf("server") as ReturnType<typeof schemaOf> & {
    properties: { type: { enum: string[] } };
  };
  const seen = new Set<string>();
  for (const line of ["live", "replay", "snapshot"].flatMap(golden)) {
    const frame = JSON.parse(line);
    seen.add(frame.type);
    equal(firstProblem(server, frame, server), undefined, line);
    // As it was written, with nothing left out and nothing unknown.
    equal(decodeFrames(line) as unknown, [frame]);
  }
  equal([...seen].sort(), [...server.properties.type.enum].sort());
});

Deno.test("contract: as it happens, replayed or as a snapshot, the gateway's story is the same", () => {
  const told = ["live", "replay", "snapshot"].map((name) => {
    const lines = golden(name);
    // Each in a frame of its own, and all at once.
    return [lines, [lines.join("\n")]].map((texts) => {
      const world = new FakeWorld(1);
      world.connect = (socket) => world.later(1, () => socket.accept());
      const store = new MemoryStore();
      if (name !== "live") {
        // A recovered session is one that was known: from its beginning.
        store.save("key", {
          version: 1,
          generation: 0,
          session: JSON.parse(lines[0]!).session,
          epoch: "e_golden",
          token: "golden.token",
          seq: 0,
          turns: [],
          unknown_turns: 0,
          saved: 1,
        });
      }
      const chat = new ChatStreamClient({
        url: "ws://gateway",
        environment: world,
        store,
        key: "key",
      });
      chat.start();
      world.run(10);
      const socket = world.sockets[0]!;
      for (const text of texts) socket.sayText(text);
      equal(world.sockets.length, 1, "nothing was taken as a fault");
      equal(chat.connection.options?.models, ["gpt-5.5", "gpt-5.5-mini"]);
      equal(chat.position, { epoch: "e_golden", seq: 43 });
      return chat.turns.map(({ id, answer }) => ({
        id,
        model: answer?.model,
        status: answer?.status,
        text: answerText(answer),
        tools: answer?.items.flatMap(({ tool }) => tool === undefined ? [] : [tool.arguments]),
        reason: answer?.complete?.reason ?? answer?.complete?.error?.code,
        sound: answer?.integrity !== "mismatch",
        verified: name === "snapshot" || answer?.integrity === "verified",
      }));
    });
  }).flat();
  for (const other of told) equal(other, told[0]);
  equal(told[0]!.map(({ id, status, text, verified }) => [id, status, text, verified]), [
    ["m1", "completed", "The mill 🌊 turns.", true],
    ["m2", "cancelled", "Half of ", true],
    ["m3", "failed", "Cut ", true],
    ["m4", "completed", "Hello, world", true],
    ["m5", "incomplete", "Too long", true],
  ]);
});

Deno.test("contract: every type of the schema is known here, and no other", () => {
  const server = schemaOf("server") as { properties?: { type: { enum: string[] } } };
  for (const type of server.properties!.type.enum) {
    const frame = {
      type,
      seq: 1,
      response: "r",
      message: "m",
      id: "m",
      index: 0,
      kind: "text",
      text: "",
      status: "completed",
      item: {},
      event: {},
      through: 1,
      responses: [],
      resume_token: "t",
      epoch: "e",
      code: "c",
      state: "s",
    };
    equal(decodeFrames(JSON.stringify(frame))[0]!.type, type);
  }
});

Deno.test("contract: the close codes are treated as docs/protocol.md says", () => {
  const page = Deno.readTextFileSync(new URL("protocol.md", DOCS));
  const rows = [...page.matchAll(/^\| (\d{4}) \| [^|]+ \| [^|]+ \| ([^|]+) \|$/gm)];
  ok(rows.length >= 14);
  for (const [, code, advice] of rows) {
    // 1000 and 1001 are what we send ourselves. Coming from elsewhere (a proxy), they end nothing.
    if (code === "1000" || code === "1001") continue;
    const rule = reconnectRule(Number(code));
    equal(rule !== "never", advice!.startsWith("yes"), `${code}: ${advice}`);
  }
});

Deno.test("contract: the page has words for every reason why nothing comes, and for every end", () => {
  const { $defs } = schemaOf("server") as unknown as {
    $defs: Record<string, { properties: Record<string, { enum?: string[] }> }>;
  };
  const states = $defs.state!.properties.state!.enum!;
  ok(states.length >= 7);
  for (const state of states) {
    // `attached` is an answer to the client, not to the reader.
    if (state !== "attached") ok(`state.${state}` in en, `no words for the state ${state}`);
  }
});
