/** The channel between the tabs; nothing where the browser gives none, as Firefox to whom may store nothing. */
export function openChannel(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined;
  }
}
