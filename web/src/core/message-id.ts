/** `m_x:3` is the third attempt of `m_x`. */
export function splitRetryId(id: string): [base: string, count: number] {
  const match = /^(.*):(\d+)$/.exec(id);
  return match === null ? [id, 1] : [match[1]!, Number(match[2])];
}

/** The id of the attempt after `id`. */
export function nextRetryId(id: string): string {
  const [base, count] = splitRetryId(id);
  return `${base}:${count + 1}`;
}

/** An id that nobody has used: 16 characters from `random` behind `prefix`. */
export function newRandomId(prefix: string, random: () => number): string {
  let id = prefix;
  for (let i = 0; i < 16; i++) {
    id += "0123456789abcdefghijklmnopqrstuvwxyz"[Math.floor(random() * 36)];
  }
  return id;
}
