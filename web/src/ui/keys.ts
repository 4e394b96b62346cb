/** Keys that mean something here. While an input method composes a word, they are its own. */

export function isEnter(event: KeyboardEvent): boolean {
  return event.key === "Enter" && !event.shiftKey && !isComposing(event);
}

export function isEscape(event: KeyboardEvent): boolean {
  return event.key === "Escape" && !isComposing(event);
}

function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229; // 229: as Safari reports that.
}
