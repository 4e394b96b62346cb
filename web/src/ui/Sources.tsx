import { h, nextTick, type VNodeChild } from "vue";
import { type Source, sourcesOf } from "../core/citations.ts";
import type { Answer } from "../core/turn.ts";
import { safeHref } from "../markdown/safe-href.ts";
import type { Ui } from "./context.ts";
import { icon } from "./Icon.tsx";

function sourceId(answer: Answer, number: number): string {
  return `source-${answer.id}-${number}`;
}

/** The mark of one source in the text: a link to its entry in the list. */
export function citationMark(ui: Ui, answer: Answer, number: number): VNodeChild {
  const source = sourcesOf(answer)[number - 1];
  if (source === undefined) return null;
  const { title, host } = source;
  const id = sourceId(answer, number);
  return (
    <a
      class="cite"
      role="doc-noteref"
      href={`#${id}`}
      title={host === "" || host === title ? title : `${title} · ${host}`}
      aria-label={ui.t("sources.mark", { number, title })}
      onClick={(event: MouseEvent) => {
        // The address of the page names the conversation, so the link is followed without it.
        event.preventDefault();
        showSource(id);
      }}
    >
      {ui.number.value.format(number)}
    </a>
  );
}

function showSource(id: string): void {
  nextTick(() => {
    const entry = document.getElementById(id);
    entry?.scrollIntoView({ block: "nearest" });
    entry?.querySelector<HTMLElement>(".source")?.focus({ preventScroll: true });
  });
}

/** What the answer cites, in the order of its marks. */
export function sourcesView(ui: Ui, answer: Answer): VNodeChild {
  const sources = sourcesOf(answer);
  if (sources.length === 0) return null;
  const content = (source: Source) => [
    <span key="number" class="source-number" aria-hidden="true">
      {ui.number.value.format(source.number)}
    </span>,
    source.url === undefined ? icon("file") : null,
    <span key="title" class="source-title" dir="auto">{source.title}</span>,
    source.host === "" || source.host === source.title
      ? null
      : <span key="host" class="source-host" dir="ltr">{source.host}</span>,
  ];
  return (
    <section class="sources">
      <h3>{ui.t("sources.title")}</h3>
      <ol>
        {sources.map((source) => {
          const href = source.url === undefined ? undefined : safeHref(source.url);
          return (
            <li key={source.key} id={sourceId(answer, source.number)}>
              {href === undefined
                ? <span class="source" tabindex="-1" title={source.title}>{content(source)}</span>
                : (
                  <a
                    class="source"
                    href={href}
                    title={source.title}
                    target="_blank"
                    rel="noopener noreferrer nofollow"
                  >
                    {content(source)}
                  </a>
                )}
            </li>
          );
        })}
      </ol>
    </section>
  );
}
