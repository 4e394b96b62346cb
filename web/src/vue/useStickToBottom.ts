import { onBeforeUnmount, onMounted, type ShallowRef, shallowRef } from "vue";

/** Nearer to the end than this counts as being there. */
const NEAR_PX = 48;

export interface StickToBottom {
  readonly scroller: ShallowRef<HTMLElement | undefined>;
  readonly content: ShallowRef<HTMLElement | undefined>;
  /** The reader is at the end, and stays there while it grows. */
  readonly pinned: ShallowRef<boolean>;
  toBottom(smooth?: boolean): void;
}

/**
 * Keeps a growing page at its end, until the reader scrolls away.
 *
 * The end is followed after layout, by a `ResizeObserver`, so that no layout is forced; and letting go is decided by
 * what the reader does (wheel, touch, keys), never by the growth itself.
 */
export function useStickToBottom(): StickToBottom {
  const scroller = shallowRef<HTMLElement | undefined>(undefined);
  const content = shallowRef<HTMLElement | undefined>(undefined);
  const pinned = shallowRef(true);
  let lastTop = 0;
  let following = false;

  const toBottom = (smooth = false) => {
    const element = scroller.value;
    if (element === undefined) return;
    pinned.value = true;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollTo({
      top: element.scrollHeight,
      behavior: smooth && !calm ? "smooth" : "instant",
    });
    following = smooth && !calm;
    lastTop = element.scrollTop;
  };
  const onScroll = () => {
    const element = scroller.value!;
    const top = element.scrollTop;
    const atEnd = element.scrollHeight - top - element.clientHeight < NEAR_PX;
    if (atEnd) {
      pinned.value = true;
      following = false;
    } else if (top < lastTop - 1 && !following) {
      pinned.value = false;
    }
    lastTop = top;
  };
  const observer = typeof ResizeObserver === "undefined" ? undefined : new ResizeObserver(() => {
    const element = scroller.value;
    if (!pinned.value || element === undefined || following) return;
    element.scrollTop = element.scrollHeight;
    lastTop = element.scrollTop;
  });
  onMounted(() => {
    const element = scroller.value;
    if (element === undefined || content.value === undefined) return;
    element.addEventListener("scroll", onScroll, { passive: true });
    observer?.observe(content.value);
    observer?.observe(element);
    toBottom();
  });
  onBeforeUnmount(() => observer?.disconnect());
  return { scroller, content, pinned, toBottom };
}
