import { onBeforeUnmount, onMounted, type ShallowRef, shallowRef } from "vue";

/** Nearer to the end than this counts as being there. */
const NEAR_PX = 48;

export interface StickToBottom {
  readonly scroller: ShallowRef<HTMLElement | undefined>;
  readonly content: ShallowRef<HTMLElement | undefined>;
  /** The reader is at the end, and stays there while it grows. */
  readonly pinned: ShallowRef<boolean>;
  toBottom(smooth?: boolean): void;
  /** Goes to some part of the content, and stays there while it is laid out, until the reader moves. */
  show(element: Element): void;
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
  let anchor: Element | undefined;

  const isAtEnd = () => {
    const element = scroller.value;
    return element === undefined ||
      element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
  };
  const toBottom = (smooth = false) => {
    const element = scroller.value;
    if (element === undefined) return;
    letGo();
    pinned.value = true;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollTo({
      top: element.scrollHeight,
      behavior: smooth && !calm ? "smooth" : "instant",
    });
    following = smooth && !calm;
    lastTop = element.scrollTop;
  };
  const show = (element: Element) => {
    anchor = element;
    following = false;
    toAnchor();
  };
  const toAnchor = () => {
    anchor?.scrollIntoView({ block: "start", behavior: "instant" });
    pinned.value = isAtEnd();
    lastTop = scroller.value?.scrollTop ?? 0;
  };
  const letGo = () => anchor = undefined;
  const onScroll = () => {
    const element = scroller.value;
    // A scroll may still be told of when the page is gone.
    if (element === undefined || element === null) return;
    const top = element.scrollTop;
    if (isAtEnd()) {
      pinned.value = true;
      following = false;
    } else if (top < lastTop - 1 && !following) {
      pinned.value = false;
    }
    lastTop = top;
  };
  const observer = typeof ResizeObserver === "undefined" ? undefined : new ResizeObserver(() => {
    if (anchor !== undefined) return toAnchor();
    const element = scroller.value;
    if (element === undefined) return;
    // What shrinks may leave nothing to scroll, and then no scroll tells of it.
    if (!pinned.value) {
      pinned.value = isAtEnd();
      return;
    }
    // A gliding scroll goes to where the end was: growth overtakes it.
    following = false;
    element.scrollTop = element.scrollHeight;
    lastTop = element.scrollTop;
  });
  onMounted(() => {
    const element = scroller.value;
    if (element === undefined || content.value === undefined) return;
    element.addEventListener("scroll", onScroll, { passive: true });
    for (const type of ["wheel", "touchmove", "pointerdown", "keydown"]) {
      element.addEventListener(type, letGo, { passive: true });
    }
    observer?.observe(content.value);
    observer?.observe(element);
    toBottom();
  });
  onBeforeUnmount(() => observer?.disconnect());
  return { scroller, content, pinned, toBottom, show };
}
