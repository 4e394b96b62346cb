/// <reference lib="deno.ns" />
import * as vue from "vue";
import { isSettled } from "../src/core/turn.ts";
import { useChatStream, type UseChatStreamOptions } from "../src/vue/useChatStream.ts";
import { equal, ok } from "./assert.ts";
import { FakeGateway, FakeWorld } from "./fake.ts";

type Names = Record<string, unknown>;
interface Node {
  readonly type: unknown;
  readonly props: Record<string, (given: unknown) => void> | null;
  readonly children: string | Node[] | null;
}

// What a bundler does with a component, which the browser's build of Vue can do too.
const { compile, proxyRefs } = vue as unknown as {
  compile(template: string): (context: Names, cache: unknown[]) => Node;
  proxyRefs(names: Names): Names;
};

const readme = Deno.readTextFileSync(new URL("../README.md", import.meta.url));

/** What stands between the lines that begin with `begin` and with `end`. */
function block(begin: string, end: string): string {
  const lines = readme.split("\n");
  const first = lines.findIndex((line) => line.startsWith(begin)) + 1;
  ok(first > 0, `the README has ${begin}`);
  return lines.slice(first, lines.findIndex((line, place) => place >= first && line === end))
    .join("\n");
}

/** The names that a script declares, as its template sees them; every other name is a fault. */
function run(script: string, given: Names): Names {
  const body = script.replace(/^import .*$/gm, "");
  const names = [...body.matchAll(/(?:const|,)\s*(?:\{([^}]*)\}|(\w+))\s*=/g)]
    .flatMap(([, several, one]) => several?.split(",") ?? [one!]).map((name) => name.trim());
  const code = `${body}\nreturn { ${names.join(", ")} };`;
  const declared = new Function(...Object.keys(given), code)(...Object.values(given)) as Names;
  return new Proxy(proxyRefs(declared), {
    has: (_, name) => typeof name === "string" && !name.startsWith("_") && !(name in globalThis),
    get(target, name) {
      if (name === Symbol.unscopables) return undefined;
      ok(name in target, `the script declares ${String(name)}`);
      return Reflect.get(target, name);
    },
  });
}

function all(node: Node | string): (Node | string)[] {
  if (typeof node === "string") return [node];
  const { children } = node;
  const under = typeof children === "string" ? [children] : children ?? [];
  return [node, ...under.flatMap(all)];
}

Deno.test("the ten lines of the README send a message, show what comes, and stop", () => {
  const world = new FakeWorld();
  new FakeGateway(world, 1);
  let frame: (() => void) | undefined;
  const scheduler = { request: (flush: () => void) => frame = flush, cancel: () => {} };
  const scope = vue.effectScope();
  scope.run(() => {
    const context = run(block("<script setup", "</script>"), {
      ref: vue.ref,
      IndexedSessionStore: class {},
      useChatStream: ({ store, ...options }: UseChatStreamOptions) => {
        ok(store !== undefined && options.url?.startsWith("wss:"));
        return useChatStream({ ...options, environment: world, scheduler });
      },
    });
    const render = compile(block("<template>", "</template>"));
    const draw = () => {
      frame?.();
      return all(render(context, []));
    };
    const find = (type: string) =>
      draw().find((each): each is Node => typeof each === "object" && each.type === type);
    const shown = () => draw().filter((each) => typeof each === "string").join(" ");
    equal(find("button"), undefined);
    find("input")!.props!["onUpdate:modelValue"]!("How does a mill work?");
    find("form")!.props!.onSubmit!({ preventDefault() {} });
    equal(context.draft, "");
    ok(shown().includes("How does a mill work?"), shown());
    // It may be stopped as soon as something of it is there.
    for (let steps = 0; !/in_progress/.test(shown()) && steps < 500; steps++) world.run(10);
    find("button")!.props!.onClick!({});
    world.run(20_000);
    const [turn] = (context.chat as ReturnType<typeof useChatStream>).client.turns;
    ok(turn !== undefined && isSettled(turn));
    equal(turn.answer?.status, "cancelled");
    ok(shown().includes("cancelled"), shown());
    equal(find("button"), undefined);
  });
  scope.stop();
});
