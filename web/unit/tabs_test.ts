/// <reference lib="deno.ns" />
/** Several pages of one conversation: what each of them writes, asks and takes back, with a store in common. */

import type { ChatStreamClient } from "../src/core/client.ts";
import { equal } from "./assert.ts";
import { FakeBrowser } from "./fake-browser.ts";

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
