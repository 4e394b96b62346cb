/**
 * What had the focus goes away or is done with: whoever types goes on typing.
 *
 * Not on a touch screen, where the keyboard would come up and cover what is to be read.
 */
export function toComposer(): void {
  if (matchMedia("(hover: hover)").matches) document.getElementById("composer")?.focus();
}
