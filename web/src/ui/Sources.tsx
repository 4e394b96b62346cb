import { h, type VNodeChild } from "vue";
import type { UpstreamObject } from "../core/protocol.ts";
import type { Answer } from "../core/turn.ts";
import { safeHref } from "../markdown/safe-href.ts";
import type { Ui } from "./context.ts";
import { icon } from "./Icon.tsx";

interface Source {
  readonly key: string;
  readonly title: string;
  readonly place: string;
  readonly href?: string;
}

/** The sources that an answer cites, each once, in the order of their first mention. */
export function sourcesOf(answer: Answer): Source[] {
  const sources = new Map<string, Source>();
  for (const item of answer.items) {
    for (const annotation of item.annotations ?? []) {
      const source = sourceOf(annotation);
      if (source !== undefined && !sources.has(source.key)) sources.set(source.key, source);
    }
  }
  return [...sources.values()];
}

function sourceOf(annotation: UpstreamObject): Source | undefined {
  const { url, title, filename, file_id } = annotation as Record<string, unknown>;
  if (typeof url === "string") {
    const href = safeHref(url);
    let place = url;
    try {
      place = new URL(url).hostname.replace(/^www\./, "");
    } catch {
      // Shown as it is.
    }
    const name = typeof title === "string" && title !== "" ? title : place;
    return { key: url, title: name, place, ...(href === undefined ? {} : { href }) };
  }
  const name = typeof filename === "string" ? filename : file_id;
  return typeof name === "string" ? { key: name, title: name, place: "" } : undefined;
}

export function sourcesView(ui: Ui, sources: readonly Source[]): VNodeChild {
  if (sources.length === 0) return null;
  return (
    <section class="sources" aria-label={ui.t("sources.title")}>
      <h3>{ui.t("sources.title")}</h3>
      <ol>
        {sources.map((source) => (
          <li key={source.key}>
            {source.href === undefined
              ? <span class="source">{icon("file")}{source.title}</span>
              : (
                <a
                  class="source"
                  href={source.href}
                  target="_blank"
                  rel="noopener noreferrer nofollow"
                >
                  <span class="source-title" dir="auto">{source.title}</span>
                  <span class="source-place">{source.place}</span>
                </a>
              )}
          </li>
        ))}
      </ol>
    </section>
  );
}
