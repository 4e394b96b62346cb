import type { MessageOptions, ReadyFrame } from "./protocol.ts";

type Offer = ReadyFrame["options"];

/**
 * Of the parameters that were chosen those that the gateway allows: names that `allow` lists, a model that `models`
 * lists. A gateway that tells nothing allows all. What is left out gets the gateway's default.
 */
export function allowedOptions(chosen: MessageOptions, offer: Offer): MessageOptions {
  const { allow, models } = offer ?? {};
  return Object.fromEntries(
    Object.entries(chosen).filter(([name, value]) =>
      (allow?.includes(name) ?? true) &&
      (name !== "model" || models === undefined || models.includes(value as string))
    ),
  );
}
