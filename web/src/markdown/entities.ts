/** The character references that a model writes; the full list of HTML5 has 2,231 and would outweigh the parser. */

const NAMED: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  copy: "©",
  reg: "®",
  trade: "™",
  hellip: "…",
  mdash: "—",
  ndash: "–",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
  laquo: "«",
  raquo: "»",
  bull: "•",
  middot: "·",
  deg: "°",
  plusmn: "±",
  times: "×",
  divide: "÷",
  minus: "−",
  ne: "≠",
  le: "≤",
  ge: "≥",
  asymp: "≈",
  infin: "∞",
  sum: "∑",
  prod: "∏",
  radic: "√",
  int: "∫",
  part: "∂",
  Delta: "Δ",
  alpha: "α",
  beta: "β",
  gamma: "γ",
  delta: "δ",
  epsilon: "ε",
  theta: "θ",
  lambda: "λ",
  mu: "μ",
  pi: "π",
  sigma: "σ",
  phi: "φ",
  omega: "ω",
  Omega: "Ω",
  larr: "←",
  uarr: "↑",
  rarr: "→",
  darr: "↓",
  harr: "↔",
  rArr: "⇒",
  hArr: "⇔",
  euro: "€",
  pound: "£",
  yen: "¥",
  cent: "¢",
  sect: "§",
  para: "¶",
  dagger: "†",
  micro: "µ",
  frac12: "½",
  frac14: "¼",
  frac34: "¾",
  sup2: "²",
  sup3: "³",
  iexcl: "¡",
  iquest: "¿",
  szlig: "ß",
  auml: "ä",
  ouml: "ö",
  uuml: "ü",
  Auml: "Ä",
  Ouml: "Ö",
  Uuml: "Ü",
  AElig: "Æ",
  aelig: "æ",
  Dcaron: "Ď",
  eacute: "é",
  egrave: "è",
  agrave: "à",
  aacute: "á",
  ntilde: "ñ",
  ccedil: "ç",
  oslash: "ø",
  aring: "å",
  thinsp: "\u2009",
  ensp: "\u2002",
  emsp: "\u2003",
  shy: "\u00ad",
  zwj: "\u200d",
  zwnj: "\u200c",
  hearts: "♥",
  check: "✓",
  star: "☆",
  HilbertSpace: "ℋ",
  DifferentialD: "ⅆ",
  ClockwiseContourIntegral: "∲",
  ngE: "≧̸",
};

const REFERENCE = /^&(?:#[xX]([0-9a-fA-F]{1,6})|#([0-9]{1,7})|([a-zA-Z][a-zA-Z0-9]{1,31}));/;

/** The reference at the beginning of `text`, and what it stands for. */
export function takeEntity(
  text: string,
): { readonly length: number; readonly text: string } | undefined {
  const match = REFERENCE.exec(text);
  if (match === null) return undefined;
  const [whole, hex, decimal, name] = match;
  if (name !== undefined) {
    const found = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
    return found === undefined ? undefined : { length: whole.length, text: found };
  }
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
  const valid = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return { length: whole.length, text: valid ? String.fromCodePoint(code) : "\uFFFD" };
}

/** Resolves backslash escapes and character references, as in link destinations and titles. */
export function unescapeText(text: string): string {
  if (!/[\\&]/.test(text)) return text;
  return text.replace(/\\([!-/:-@[-`{-~])|&[#a-zA-Z][^;\s]{0,32};/g, (match, escaped?: string) => {
    return escaped ?? takeEntity(match)?.text ?? match;
  });
}
