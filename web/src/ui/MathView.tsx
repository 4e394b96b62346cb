import { defineComponent, h, onMounted, shallowRef, watch } from "vue";

interface Katex {
  render(source: string, target: HTMLElement, options: object): void;
}

/** A formula is drawn in one task: one of a hundred kilobytes would stop the page for five seconds. */
const MAXIMUM_CHARACTERS = 10_000;

let loading: Promise<Katex> | undefined;

/** KaTeX comes on its own when the first formula does. */
function loadKatex(): Promise<Katex> {
  const file = "./katex.js";
  loading ??= import(file).then((module: { default: Katex }) => module.default);
  loading.catch(() => loading = undefined);
  return loading;
}

/** A formula as MathML; until it can be drawn, and when it cannot, its source. */
export const MathView = defineComponent<{ source: string; display: boolean; ready: boolean }>(
  (props) => {
    const element = shallowRef<HTMLElement | undefined>(undefined);
    const drawn = shallowRef(false);
    const draw = async () => {
      const { source } = props;
      if (!props.ready || element.value === undefined || source.length > MAXIMUM_CHARACTERS) return;
      try {
        const katex = await loadKatex();
        if (source !== props.source || element.value === undefined) return;
        const target = document.createElement("span");
        katex.render(source, target, {
          output: "mathml",
          displayMode: props.display,
          throwOnError: true,
          strict: false, // What LaTeX itself would not take is drawn all the same, without a word on the console.
          trust: false,
          maxExpand: 200,
          maxSize: 20,
        });
        element.value.replaceChildren(target);
        drawn.value = true;
      } catch {
        drawn.value = false;
      }
    };
    onMounted(draw);
    watch(() => [props.source, props.ready] as const, () => void draw(), { flush: "post" });
    return () => (
      <span class={props.display ? "math display" : "math"} dir="ltr">
        <span ref={element} class={drawn.value ? "" : "hidden"} />
        {drawn.value ? null : <code>{props.source}</code>}
      </span>
    );
  },
  { name: "MathView", props: ["source", "display", "ready"] },
);
