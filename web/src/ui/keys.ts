/** Whether a key ends what is written. While an input method composes a word, Enter belongs to it. */
export function isEnter({ key, shiftKey, isComposing, keyCode }: KeyboardEvent): boolean {
  return key === "Enter" && !shiftKey && !isComposing && keyCode !== 229; // 229: as Safari reports that.
}
