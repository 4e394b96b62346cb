/// <reference lib="deno.ns" />
/** What a page writes down before the database has it: only what it may lose, and each thing once. */

import { unsaved } from "../src/browser/unsaved.ts";
import type { StoredSession } from "../src/core/stored-session.ts";
import type { Delivery, Turn } from "../src/core/turn.ts";
import { equal } from "./assert.ts";

const turn = (id: string, delivery: Delivery): Turn => ({ id, delivery, input: id, created: 0 });

function session(turns: Turn[], discarded: string[] = []): StoredSession {
  const gone = discarded.map((id) => ({ id, at: 1 }));
  return { version: 1, generation: 0, seq: 3, unknown_turns: 0, turns, discarded: gone, saved: 0 };
}

/** What stands there, as long as nothing says that it is saved. */
function left(key: string) {
  const { turns, discarded } = unsaved.read(key) ?? {};
  return [turns?.map(({ id, delivery }) => `${id} ${delivery}`), discarded?.map(({ id }) => id)];
}

Deno.test("unsaved: what was saved is not written again, and what was not is, until it is", () => {
  const refused = turn("a", "refused"), waiting = turn("b", "queued");
  const saved = unsaved.write("once", session([refused, waiting], ["c"]));
  equal(left("once"), [["a refused", "b queued"], ["c"]]);
  // The first save is not answered yet: the second one may outlive it.
  const savedToo = unsaved.write(
    "once",
    session([refused, { ...waiting, delivery: "withdrawn" }], ["c"]),
  );
  saved();
  equal(left("once"), [["a refused", "b withdrawn"], ["c"]]);
  savedToo();
  equal(left("once"), [undefined, undefined]);
  const whole = session([refused, turn("b", "withdrawn")], ["c"]);
  unsaved.write("once", whole);
  equal(left("once"), [undefined, undefined]);
  // Of what comes then nothing else is written along.
  unsaved.write("once", {
    ...whole,
    turns: [...whole.turns, turn("d", "sent")],
    discarded: [{ id: "c", at: 1 }, { id: "e", at: 1 }],
  });
  equal(left("once"), [["d sent"], ["e"]]);
});

Deno.test("unsaved: what could not be saved goes once a later save has all of it", () => {
  unsaved.write("late", session([turn("a", "queued")]));
  equal(left("late"), [["a queued"], []]);
  const answer = { id: "r", status: "completed", items: [], integrity: "verified" } as const;
  const answered: Turn = { ...turn("a", "accepted"), answer: { ...answer, items: [] } };
  unsaved.write("late", session([answered]))();
  equal(left("late"), [undefined, undefined]);
});

Deno.test("unsaved: of what is removed nothing is left, and its key begins anew", () => {
  const record = session([turn("a", "withdrawn")]);
  unsaved.write("gone", record)();
  unsaved.write("gone", session([turn("b", "queued")]));
  unsaved.remove("gone");
  equal(left("gone"), [undefined, undefined]);
  unsaved.write("gone", record);
  equal(left("gone"), [["a withdrawn"], []]);
});
