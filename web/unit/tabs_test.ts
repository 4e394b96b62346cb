/// <reference lib="deno.ns" />
/** Several pages of one conversation: what each of them writes, asks and takes back, with a store in common. */

import type { ChatStreamClient } from "../src/core/client.ts";
import { everyTurn } from "../src/core/branches.ts";
import { lastAttempts } from "../src/core/message-id.ts";
import type { StoredSession } from "../src/core/stored-session.ts";
import { isSettled, type Turn } from "../src/core/turn.ts";
import { equal, ok } from "./assert.ts";
import { FakeBrowser, type FakePage } from "./fake-browser.ts";

const ids = ({ turns }: Pick<ChatStreamClient, "turns">) => turns.map(({ id }) => id);
const statuses = ({ turns }: ChatStreamClient) =>
  turns.map(({ answer, delivery }) => answer?.integrity ?? delivery);

/** Two pages that have heard the answer to a first message. */
async function twoPages() {
  const browser = new FakeBrowser();
  const first = browser.open();
  const one = first.client.send("one");
  await browser.run(4_000);
  const second = browser.open();
  await browser.run(1_000);
  return { browser, first, second, one };
}

Deno.test("a message that waits for a first connection is asked by one page, whichever have it", async () => {
  const browser = new FakeBrowser();
  const first = browser.open(false), turn = first.client.send("one");
  const second = browser.open(false);
  equal(ids(second.client), [turn.id]);
  first.isOnline = second.isOnline = true;
  await browser.run(10_000);
  equal(browser.asked, [turn.id]);
  for (const { client } of browser.pages) equal(statuses(client), ["verified"]);
  equal(second.client.connection.session, first.client.connection.session);
});

Deno.test("a fresh start that has no session yet is taken over, and its message asked by one page", async () => {
  const { browser, first, second, one } = await twoPages();
  const turn = first.client.branch(one.id, "one, differently")!;
  void second.client.reload();
  await browser.run(10_000);
  equal(browser.asked, [one.id, turn.id]);
  for (const { client } of browser.pages) equal(statuses(client), ["verified"]);
  equal(second.client.connection.session, first.client.connection.session);
});

Deno.test("what waits while the session is lost is asked in the one that takes its place, by whichever page", async () => {
  const { browser, first, second, one } = await twoPages();
  first.isOnline = second.isOnline = false;
  browser.restartGateway();
  const turn = first.client.send("two");
  second.isOnline = first.isOnline = true;
  await browser.run(10_000);
  equal(browser.asked, [one.id, turn.id]);
  for (const { client } of browser.pages) equal(statuses(client), ["verified", "verified"]);
  equal(second.client.connection.session, first.client.connection.session);
});

Deno.test("a message that another page has asked, and left for another wording, is not asked again", async () => {
  const browser = new FakeBrowser();
  const first = browser.open(), one = first.client.send("one");
  await browser.run(4_000);
  first.isOnline = false;
  const turn = first.client.send("two");
  const second = browser.open();
  await browser.run(4_000);
  equal(turn.delivery, "queued");
  equal(browser.timesAsked(turn.id), 1);
  const other = second.client.branch(turn.id, "two, differently")!;
  void first.client.reload();
  first.isOnline = true;
  await browser.run(10_000);
  equal(browser.timesAsked(turn.id), 1);
  equal(ids(first.client), [one.id, other.id]);
});

Deno.test("a message that waits in one page outlasts what another one saves", async () => {
  const { browser, first, second, one } = await twoPages();
  first.isOnline = false;
  const waiting = first.client.send("from a dead zone");
  const asked = second.client.send("meanwhile");
  await browser.run(4_000);
  first.close();
  second.close();
  const again = browser.open();
  await browser.run(4_000);
  equal(ids(again.client), [one.id, asked.id, waiting.id]);
  equal(statuses(again.client), ["verified", "verified", "verified"]);
  equal(browser.timesAsked(waiting.id), 1);
});

Deno.test("a message that was sent and not confirmed outlasts what another page saves", async () => {
  const { browser, first, second, one } = await twoPages();
  browser.world.sockets[0]!.onSend = () => {};
  const turn = first.client.send("on its way");
  equal(turn.delivery, "sent");
  first.close("killed");
  second.client.send("meanwhile");
  second.close();
  const again = browser.open();
  await browser.run(8_000);
  ok(ids(again.client).includes(turn.id));
  equal(again.client.turns.length, 3);
  equal(again.client.turns[0]!.id, one.id);
  equal(browser.timesAsked(turn.id), 1);
});

Deno.test("a fresh start of another page keeps what this one has sent and nobody has confirmed", async () => {
  const { browser, first, second, one } = await twoPages();
  browser.world.sockets[0]!.onSend = () => {};
  const turn = first.client.send("on its way");
  const other = second.client.branch(one.id, "one, differently")!;
  await browser.run(4_000);
  for (const { client } of browser.pages) {
    equal(ids(client), [other.id, turn.id]);
    equal(statuses(client), ["verified", "unconfirmed"]);
  }
  first.client.retry(turn.id);
  await browser.run(4_000);
  for (const { client } of browser.pages) equal(ids(client), [other.id, `${turn.id}:2`]);
  equal(browser.asked, [one.id, other.id, `${turn.id}:2`]);
});

Deno.test("a page that slept through a restart keeps what others have asked before and after it", async () => {
  const { browser, first, second } = await twoPages();
  first.isOnline = false;
  const before = second.client.send("before");
  await browser.run(4_000);
  browser.restartGateway();
  await browser.run(4_000);
  const after = second.client.send("after");
  await browser.run(4_000);
  second.close();
  first.isOnline = true;
  await browser.run(4_000);
  equal(ids(first.client).slice(1), [before.id, after.id]);
  const last = first.client.send("last");
  await browser.run(4_000);
  first.close();
  const again = browser.open();
  await browser.run(4_000);
  equal(ids(again.client).slice(1), [before.id, after.id, last.id]);
  equal(statuses(again.client).slice(1), ["verified", "verified", "verified"]);
});

Deno.test("a session that takes the place of a lost one is told what other pages had asked in that", async () => {
  const { browser, first, second } = await twoPages();
  first.isOnline = false;
  second.client.send("unheard of");
  await browser.run(4_000);
  second.close("killed");
  browser.restartGateway();
  first.isOnline = true;
  await browser.run(4_000);
  first.client.send("last");
  const told = browser.world.sockets.at(-1)!.sent.find((frame) => frame.type === "message");
  const items = told?.type === "message" ? told.input as { role: string; content: string }[] : [];
  const asked = items.flatMap(({ role, content }) => role === "user" ? [content] : []);
  equal(asked, ["one", "unheard of", "last"]);
});

Deno.test("what another page asked of a session that is forgotten is not asked again", async () => {
  const { browser, first, second } = await twoPages();
  first.isOnline = second.isOnline = false;
  const turn = first.client.send("once");
  second.close();
  const third = browser.open();
  await browser.until(() => browser.timesAsked(turn.id) === 1);
  equal(turn.delivery, "queued");
  third.close("killed");
  browser.restartGateway();
  first.isOnline = true;
  await browser.run(10_000);
  equal(browser.timesAsked(turn.id), 1);
  equal(statuses(first.client), ["verified", "unconfirmed"]);
});

Deno.test("what one page takes back no other sends, nor keeps", async () => {
  for (const take of ["stop", "discard"] as const) {
    const { browser, first, second } = await twoPages();
    first.isOnline = second.isOnline = false;
    const turn = first.client.send("better not");
    second.close();
    const third = browser.open(false);
    equal(ids(third.client), ids(first.client));
    first.client[take](turn.id);
    third.isOnline = true;
    await browser.run(4_000);
    first.isOnline = true;
    await browser.run(4_000);
    equal(browser.timesAsked(turn.id), 0, take);
    const left = take === "stop" ? ["verified", "withdrawn"] : ["verified"];
    for (const { client } of browser.pages) equal(statuses(client), left, take);
    first.close();
    third.close();
    equal(statuses(browser.open(false).client), left, take);
  }
});

Deno.test("what is taken back before another page has claimed it is not sent, and what comes later is stopped", async () => {
  for (const take of ["stop", "discard"] as const) {
    for (const isLate of [false, true]) {
      const browser = new FakeBrowser(1, 30);
      const first = browser.open(false), turn = first.client.send("better not");
      await browser.run(100);
      const second = browser.open();
      await browser.until(() => second.client.connection.phase === "ready");
      if (isLate) await browser.until(() => second.client.turns[0]!.delivery === "sent");
      equal(browser.timesAsked(turn.id), 0);
      equal(turn.delivery, "queued");
      first.client[take](turn.id);
      await browser.run(200);
      first.isOnline = true;
      await browser.run(10_000);
      equal(browser.timesAsked(turn.id), isLate ? 1 : 0, `${take} ${isLate}`);
      for (const { client } of browser.pages) {
        const ends = client.turns.map(({ answer, delivery }) => answer?.status ?? delivery);
        equal(ends, isLate ? ["cancelled"] : take === "stop" ? ["withdrawn"] : []);
      }
    }
  }
});

Deno.test("what the gateway has not taken may be taken back at once, and holds nothing up", async () => {
  const takes = [["discard", false], ["retry", false], ["discard", true], ["stop", true]] as const;
  for (const [take, retryable] of takes) {
    for (const delay_ms of [0, 30]) {
      const context = `${take} retryable=${retryable} ${delay_ms} ms`;
      const browser = new FakeBrowser(1, delay_ms), { client } = browser.open();
      await browser.run(100);
      const [socket] = browser.world.sockets, { onSend } = socket!;
      socket!.onSend = (frame) => {
        if (frame.type !== "message") return onSend?.(frame);
        const refused = { type: "error", code: "overloaded", message: "Not now.", retryable };
        browser.world.later(3, () => socket!.say({ ...refused, message_id: frame.id }));
        socket!.onSend = onSend;
      };
      const turn = client.send("better not");
      let isTaken = false;
      client.subscribe((change) => {
        if (isTaken || turn.problem === undefined || change.type !== "turn") return;
        isTaken = true;
        client[take](turn.id);
      });
      await browser.run(100);
      ok(isTaken, context);
      const next = client.send("instead");
      await browser.run(8_000);
      const again = take === "retry" ? [`${turn.id}:2`] : [];
      equal(browser.asked, [...again, next.id], context);
      const left = take === "stop" ? ["withdrawn"] : again.map(() => "verified");
      equal(statuses(client), [...left, "verified"], context);
      equal(client.turns.some(({ stopping }) => stopping), false, context);
    }
  }
});

/** Two pages without a network that both show a message which was taken back. */
async function twoPagesAndOneTakenBack() {
  const browser = new FakeBrowser(), first = browser.open();
  await browser.run(100);
  first.isOnline = false;
  const turn = first.client.send("better not");
  first.client.stop(turn.id);
  const second = browser.open(false);
  for (const { client } of browser.pages) equal(statuses(client), ["withdrawn"]);
  return { browser, first: first.client, second: second.client, turn };
}

Deno.test("what is tried again after another page has discarded its attempt is asked", async () => {
  const { browser, first, second, turn } = await twoPagesAndOneTakenBack();
  first.discard(first.retry(turn.id)!.id);
  await browser.run(100);
  const again = second.retry(turn.id)!;
  await browser.run(100);
  equal(ids(second), [again.id]);
  for (const page of browser.pages) page.isOnline = true;
  await browser.run(8_000);
  equal(browser.asked, [again.id]);
  for (const { client } of browser.pages) equal(statuses(client), ["verified"]);
});

Deno.test("an attempt that one page discards goes with those that others have made before", async () => {
  const { browser, first, second, turn } = await twoPagesAndOneTakenBack();
  const again = first.retry(turn.id)!;
  await browser.run(100);
  second.retry(turn.id);
  await browser.run(100);
  first.discard(again.id);
  await browser.run(100);
  for (const page of browser.pages) page.isOnline = true;
  await browser.run(8_000);
  equal(browser.asked, []);
  for (const { client } of browser.pages) equal(ids(client), []);
});

Deno.test("what the gateway has not taken yet does not count as sent where another page is further on", async () => {
  for (const take of ["stop", "discard"] as const) {
    const { browser, first, second } = await twoPages();
    const [socket] = browser.world.sockets, { onSend } = socket!;
    let isRefusing = true;
    socket!.onSend = (frame) => {
      if (frame.type !== "message" || !isRefusing) return onSend?.(frame);
      const refused = { type: "error", code: "overloaded", message: "Not now.", retryable: true };
      // By then this page has not heard what the other one has.
      browser.world.later(200, () => {
        socket!.say({ ...refused, retry_after_ms: 3_000, message_id: frame.id });
      });
    };
    socket!.sayText = ((say) => (text: string) => {
      if (!isRefusing || text.includes("Not now.")) say.call(socket, text);
    })(socket!.sayText);
    const turn = first.client.send("better not");
    const asked = second.client.send("meanwhile");
    await browser.until(() => turn.problem !== undefined);
    equal([turn.delivery, browser.timesAsked(asked.id)], ["queued", 1]);
    await browser.run(100);
    const kept = (await loaded(browser))?.turns.find(({ id }) => id === turn.id);
    equal([kept?.delivery, kept?.problem?.code], ["queued", "overloaded"]);
    first.client[take](turn.id);
    await browser.run(100);
    isRefusing = false;
    socket!.drop();
    await browser.run(8_000);
    equal(browser.timesAsked(turn.id), 0);
    for (const { client } of browser.pages) {
      equal(client.turns.some(({ stopping }) => stopping), false, take);
      equal(client.turns.map(({ delivery }) => delivery).includes("sent"), false, take);
    }
  }
});

async function loaded(browser: FakeBrowser) {
  let record: StoredSession | undefined;
  void Promise.resolve(browser.store.load("default")).then((kept) => record = kept);
  await browser.run(40);
  return record;
}

Deno.test("what is removed in one page stays away, whatever others do that have it open", async () => {
  for (const delay_ms of [0, 30]) {
    const browser = new FakeBrowser(1, delay_ms), first = browser.open();
    first.client.send("one");
    await browser.run(4_000);
    const second = browser.open(), third = browser.open();
    await browser.run(1_000);
    third.isOnline = false;
    const heard = new Set<FakePage>();
    for (const page of browser.pages) {
      page.client.subscribe(({ type }) => void (type === "removed" && heard.add(page)));
    }
    await browser.store.remove("default");
    third.client.send("too late");
    const late = second.client.send("too late as well");
    await browser.run(10_000);
    equal((await loaded(browser))?.turns, []);
    equal([...heard].includes(second) && heard.has(third), true);
    equal(browser.timesAsked(late.id), 1); // It was on its way, and costs no more than that.
    equal(second.client.connection.phase, "closed");
    void first.client.reload();
    await browser.run(100);
    equal(heard.size, 3);
    // The key may be used again.
    for (const page of [...browser.pages]) page.close();
    const fresh = browser.open(), turn = fresh.client.send("anew");
    await browser.run(4_000);
    equal(statuses(fresh.client), ["verified"]);
    fresh.close();
    equal((await loaded(browser))?.turns.map(({ id }) => id), [turn.id]);
  }
});

Deno.test("an answer that runs is cancelled where its conversation is removed", async () => {
  const browser = new FakeBrowser(), first = browser.open();
  await browser.run(100);
  const turn = first.client.send("one");
  await browser.run(50);
  const { sent } = browser.world.sockets[0]!;
  await browser.store.remove("default");
  void first.client.reload();
  equal(sent.at(-1), { type: "cancel", message: turn.id });
});

Deno.test("what waits stays behind an edit of what was said before", async () => {
  const { browser, first, one } = await twoPages();
  first.isOnline = false;
  const waiting = first.client.send("two");
  const other = first.client.branch(one.id, "one, differently")!;
  equal(ids(first.client), [other.id, waiting.id]);
  first.isOnline = true;
  await browser.run(8_000);
  equal(browser.asked, [one.id, other.id, waiting.id]);
  for (const { client } of browser.pages) equal(ids(client), [other.id, waiting.id]);
});

Deno.test("what was said before an edit is there again when the edit is discarded or tried again", async () => {
  const { browser, first, one } = await twoPages();
  const { client } = first;
  first.isOnline = false;
  const waiting = client.send("two"), edit = client.branch(one.id, "one, differently")!;
  client.discard(edit.id);
  equal(ids(client), [one.id, waiting.id]);
  equal(client.turns[0]!.alternatives, undefined);
  equal(statuses(client), ["verified", "queued"]);
  first.isOnline = true;
  await browser.run(8_000);
  equal(browser.asked, [one.id, waiting.id]);
  for (const { client } of browser.pages) equal(ids(client), [one.id, waiting.id]);
  const told = browser.world.sockets.flatMap(({ sent }) => sent)
    .find((frame) => frame.type === "message" && frame.id === waiting.id);
  equal(told?.type === "message" && told.input.length, 3); // The question before, its answer, and this one.

  // Of three ways the one that gave way is shown, and the others stay beside it.
  const second = client.branch(one.id, "one, secondly")!;
  await browser.run(8_000);
  first.isOnline = false;
  const third = client.branch(second.id, "one, thirdly")!;
  client.stop(third.id);
  const again = client.retry(third.id)!;
  equal(ids(client), [again.id]);
  equal([again.version, again.alternatives?.map(([head]) => head!.id)], [2, [one.id, second.id]]);
  client.stop(again.id);
  client.discard(again.id);
  equal(ids(client), [second.id]);
  const [shown] = client.turns;
  equal([shown!.version, shown!.alternatives?.map(([head]) => head!.id)], [1, [one.id]]);
  client.switchTo(second.id, 0);
  equal(ids(client), [one.id, waiting.id]);
});

Deno.test("where the conversation has gone on behind an edit that is discarded, the ways part at what follows", async () => {
  const { browser, first, one } = await twoPages();
  const { client } = first;
  first.isOnline = false;
  const edit = client.branch(one.id, "one, differently")!;
  client.stop(edit.id);
  first.isOnline = true;
  const next = client.send("two");
  await browser.run(8_000);
  equal(ids(client), [edit.id, next.id]);
  client.discard(edit.id);
  equal(ids(client), [next.id]);
  equal(client.turns[0]!.alternatives?.map(([head]) => head!.id), [one.id]);
  client.switchTo(next.id, 0);
  equal(ids(client), [one.id]);
  equal(client.turns[0]!.alternatives?.map(([head]) => head!.id), [next.id]);
});

Deno.test("an edit that was tried again still leads to the earlier wordings, and none is shown twice", async () => {
  const { browser, first, one } = await twoPages();
  const { client } = first;
  const shown = () => lastAttempts(client.turns).map(({ id }) => id);
  const edit = client.branch(one.id, "one, differently")!;
  await browser.run(4_000);
  const again = client.retry(edit.id)!;
  await browser.run(4_000);
  equal(shown(), [again.id]);
  equal([again.version, again.alternatives?.map(([head]) => head!.id)], [1, [one.id]]);
  const other = client.branch(again.id, "one, in a third way")!;
  await browser.run(4_000);
  equal(shown(), [other.id]);
  equal(other.alternatives?.map(([head]) => head!.id), [one.id, again.id]);
  const told = browser.world.sockets.flatMap(({ sent }) => sent)
    .find((frame) => frame.type === "message" && frame.id === other.id);
  equal(told?.type === "message" && told.input, "one, in a third way");
  client.switchTo(other.id, 0);
  equal(shown(), [one.id]);
  client.switchTo(one.id, 1);
  equal(shown(), [again.id]);
});

/** Two pages, and everything that can happen to them; each message that is written must be told of in the end. */
async function live(seed: number) {
  const browser = new FakeBrowser(seed, seed % 2 === 0 ? 0 : 30);
  const { world } = browser;
  const written = new Set<string>(), discarded = new Set<string>();
  const one = <T>(from: readonly T[]) => from[Math.floor(world.random() * from.length)];
  const note = (turn: Turn | undefined) => turn !== undefined && written.add(turn.id);
  const settledOf = ({ client }: FakePage) =>
    client.turns.filter((turn) => isSettled(turn) && turn.input !== undefined);
  browser.open();
  browser.open();
  for (let step = 0; step < 60; step++) {
    const page = one(browser.pages)!, chance = world.random();
    if (chance < 0.16 && written.size < 10) {
      note(page.client.send(`message ${written.size}`));
    } else if (chance < 0.24) {
      const turn = one(page.client.turns.filter(({ delivery }) => delivery === "queued"));
      if (turn !== undefined) {
        page.client.discard(turn.id);
        written.delete(turn.id);
        // Another one may have claimed it already.
        await browser.run(40);
        const kept = await loaded(browser);
        const isKept = [...everyTurn(kept?.turns ?? [])].some(({ id }) => id === turn.id);
        if (!isKept && browser.timesAsked(turn.id) === 0) discarded.add(turn.id);
      }
    } else if (chance < 0.40) {
      page.isOnline = !page.isOnline;
    } else if (chance < 0.50) {
      page.close(chance < 0.47 ? "left" : "killed");
      browser.open(page.isOnline);
    } else if (chance < 0.53) {
      browser.restartGateway();
    } else if (chance < 0.56 && written.size < 10) {
      const turn = one(settledOf(page));
      if (turn !== undefined) note(page.client.branch(turn.id, `message ${written.size}`));
    } else if (chance < 0.60) {
      const turn = one(settledOf(page).filter(({ answer }) => answer === undefined));
      if (turn !== undefined) {
        note(page.client.retry(turn.id));
        written.delete(turn.id);
      }
    }
    await browser.run(400 * world.random());
  }
  for (const page of browser.pages) page.isOnline = true;
  await browser.run(60_000, 20);
  return { browser, written, discarded };
}

Deno.test("hundreds of seeded lives of two pages: nothing is lost, taken back for nothing, or asked twice", async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { browser, written, discarded } = await live(seed);
    equal(browser.asked.length, new Set(browser.asked).size, `seed ${seed}: asked twice`);
    for (const id of discarded) equal(browser.timesAsked(id), 0, `seed ${seed}: ${id} came back`);
    // What is stored is all of it.
    for (const page of [...browser.pages]) page.close();
    const { client } = browser.open();
    await browser.run(2_000);
    const kept = new Set(Array.from(everyTurn(client.turns), ({ id }) => id));
    for (const id of written) ok(kept.has(id), `seed ${seed}: ${id} is lost`);
    for (const id of discarded) ok(!kept.has(id), `seed ${seed}: ${id} came back`);
    ok(client.turns.every(isSettled), `seed ${seed}: ${statuses(client)}`);
  }
});
