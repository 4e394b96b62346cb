/**
 * Colours code line by line, while it streams: each line is read once, with the state that the line before left.
 *
 * One small tokenizer serves all languages; a language is a few word lists and comment marks. It aims at what helps
 * reading (comments, strings, numbers, keywords, calls, keys), not at a grammar.
 */

export type TokenKind =
  | "plain"
  | "comment"
  | "string"
  | "number"
  | "keyword"
  | "type"
  | "call"
  | "key"
  | "meta"
  | "added"
  | "removed";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

/** What is open at the end of a line: the mark that closes it, and what it is. */
export interface LineState {
  readonly closer: string;
  readonly kind: TokenKind;
}

interface Language {
  readonly keywords: ReadonlySet<string>;
  readonly lineComments: readonly string[];
  readonly blockComment?: readonly [string, string];
  readonly strings: readonly string[];
  /** Strings that may go on over the next line. */
  readonly longStrings: readonly string[];
  readonly ignoreCase?: boolean;
  readonly style?: "markup" | "diff" | "data" | "shell";
}

const words = (text: string) => new Set(text.split(" "));

const C_LIKE = { lineComments: ["//"], blockComment: ["/*", "*/"], strings: ['"', "'"] } as const;

const LANGUAGES: Record<string, Language> = {
  js: {
    ...C_LIKE,
    longStrings: ["`"],
    keywords: words(
      "abstract as async await break case catch class const continue debugger declare default delete do else enum export extends false finally for from function get if implements import in infer instanceof interface is keyof let namespace new null of override private protected public readonly return satisfies set static super switch this throw true try type typeof undefined var void while with yield",
    ),
  },
  python: {
    lineComments: ["#"],
    strings: ['"', "'"],
    longStrings: ['"""', "'''"],
    keywords: words(
      "and as assert async await break case class continue def del elif else except False finally for from global if import in is lambda match None nonlocal not or pass raise return self True try while with yield",
    ),
  },
  swift: {
    ...C_LIKE,
    longStrings: ['"""'],
    keywords: words(
      "actor any as associatedtype async await borrowing break case catch class consuming continue convenience copy default defer deinit do else enum extension false fileprivate final for func get guard if import in indirect init inout internal is isolated lazy let mutating nil nonisolated open override package private protocol public repeat rethrows return self Self sending set some static struct subscript super switch throw throws true try typealias unowned unsafe var weak where while",
    ),
  },
  go: {
    ...C_LIKE,
    longStrings: ["`"],
    keywords: words(
      "any break case chan const continue default defer else error fallthrough false for func go goto if import interface iota make map new nil package range return select struct switch true type var",
    ),
  },
  rust: {
    ...C_LIKE,
    strings: ['"'],
    longStrings: [],
    keywords: words(
      "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while",
    ),
  },
  c: {
    ...C_LIKE,
    longStrings: [],
    keywords: words(
      "abstract auto bool boolean break byte case catch char class const constexpr continue default delete do double else enum explicit export extends extern false final finally float for foreach friend fun goto if implements import in inline instanceof int interface internal is lateinit let long namespace new noexcept null nullptr object open operator out override package private protected public readonly record ref register return sealed short signed sizeof static string struct super switch synchronized template this throw throws true try typedef typename typeof union unsigned using val var virtual void volatile when while yield",
    ),
  },
  shell: {
    lineComments: ["#"],
    strings: [],
    longStrings: ['"', "'"],
    style: "shell",
    keywords: words(
      "alias break case cd continue do done echo elif else esac eval exec exit export fi for function if in local read return set shift source then trap unset until while sudo",
    ),
  },
  sql: {
    lineComments: ["--"],
    blockComment: ["/*", "*/"],
    strings: ["'", '"'],
    longStrings: [],
    ignoreCase: true,
    keywords: words(
      "add all alter and as asc begin between by case check column commit constraint create cross default delete desc distinct drop else end exists foreign from full group having if in index inner insert into is join key left like limit not null offset on or order outer over partition primary references returning right rollback select set table then transaction union unique update using values view when where with",
    ),
  },
  json: {
    lineComments: [],
    strings: ['"'],
    longStrings: [],
    style: "data",
    keywords: words("true false null"),
  },
  yaml: {
    lineComments: ["#"],
    strings: ['"', "'"],
    longStrings: [],
    style: "data",
    keywords: words("true false null yes no on off"),
  },
  css: {
    lineComments: [],
    blockComment: ["/*", "*/"],
    strings: ['"', "'"],
    longStrings: [],
    style: "data",
    keywords: words("important media supports import layer keyframes font-face"),
  },
  html: {
    lineComments: [],
    blockComment: ["<!--", "-->"],
    strings: ['"', "'"],
    longStrings: [],
    style: "markup",
    keywords: new Set(),
  },
  diff: {
    lineComments: [],
    strings: [],
    longStrings: [],
    style: "diff",
    keywords: new Set(),
  },
};

const ALIASES: Record<string, string> = {
  javascript: "js",
  jsx: "js",
  ts: "js",
  tsx: "js",
  typescript: "js",
  mjs: "js",
  vue: "html",
  py: "python",
  python3: "python",
  golang: "go",
  rs: "rust",
  cpp: "c",
  "c++": "c",
  h: "c",
  cs: "c",
  "c#": "c",
  csharp: "c",
  java: "c",
  kotlin: "c",
  kt: "c",
  scala: "c",
  php: "c",
  dart: "c",
  objc: "c",
  bash: "shell",
  sh: "shell",
  zsh: "shell",
  console: "shell",
  dockerfile: "shell",
  makefile: "shell",
  make: "shell",
  toml: "yaml",
  ini: "yaml",
  yml: "yaml",
  jsonc: "json",
  json5: "json",
  xml: "html",
  svg: "html",
  scss: "css",
  less: "css",
  patch: "diff",
  postgresql: "sql",
  mysql: "sql",
  sqlite: "sql",
  ruby: "python",
  rb: "python",
};

/** Longer lines are left plain: they are data, and colour would only cost. */
const MAXIMUM_LINE_CHARACTERS = 2_000;

function languageNamed(name: string): Language | undefined {
  const lower = name.toLowerCase();
  const key = Object.hasOwn(ALIASES, lower) ? ALIASES[lower]! : lower;
  return Object.hasOwn(LANGUAGES, key) ? LANGUAGES[key] : undefined;
}

/** Reads one line; `state` is what the line before left open. */
function highlightLine(
  line: string,
  name: string,
  state: LineState | undefined,
): { readonly tokens: Token[]; readonly state: LineState | undefined } {
  const language = languageNamed(name);
  if (language === undefined || line.length > MAXIMUM_LINE_CHARACTERS) {
    return { tokens: line === "" ? [] : [{ kind: "plain", text: line }], state: undefined };
  }
  if (language.style === "diff") return { tokens: [diffToken(line)], state: undefined };
  return new LineReader(line, language).read(state);
}

function diffToken(line: string): Token {
  const kind = /^(\+\+\+|---|@@|diff |index )/.test(line)
    ? "meta"
    : line.startsWith("+")
    ? "added"
    : line.startsWith("-")
    ? "removed"
    : "plain";
  return { kind, text: line };
}

class LineReader {
  readonly #line: string;
  readonly #language: Language;
  readonly #tokens: Token[] = [];
  #place = 0;

  constructor(line: string, language: Language) {
    this.#line = line;
    this.#language = language;
  }

  read(state: LineState | undefined): { tokens: Token[]; state: LineState | undefined } {
    let open = state;
    while (this.#place < this.#line.length) {
      if (open !== undefined) {
        if (!this.#close(open)) return { tokens: this.#tokens, state: open };
        open = undefined;
      } else {
        open = this.#step();
      }
    }
    return { tokens: this.#tokens, state: open };
  }

  #push(kind: TokenKind, end: number): void {
    const text = this.#line.slice(this.#place, end);
    const last = this.#tokens.at(-1);
    if (last !== undefined && last.kind === kind) {
      this.#tokens[this.#tokens.length - 1] = { kind, text: last.text + text };
    } else if (text !== "") {
      this.#tokens.push({ kind, text });
    }
    this.#place = end;
  }

  #close(open: LineState): boolean {
    let end = this.#place;
    for (; end < this.#line.length; end++) {
      if (this.#line[end] === "\\" && open.kind === "string") end++;
      else if (this.#line.startsWith(open.closer, end)) {
        this.#push(open.kind, end + open.closer.length);
        return true;
      }
    }
    this.#push(open.kind, this.#line.length);
    return false;
  }

  #step(): LineState | undefined {
    const rest = this.#line.slice(this.#place);
    const language = this.#language;
    for (const mark of language.lineComments) {
      if (!rest.startsWith(mark)) continue;
      if (mark === "#" && this.#place > 0 && !/\s/.test(this.#line[this.#place - 1]!)) continue;
      this.#push("comment", this.#line.length);
      return undefined;
    }
    if (language.blockComment !== undefined && rest.startsWith(language.blockComment[0])) {
      this.#push("comment", this.#place + language.blockComment[0].length);
      return { closer: language.blockComment[1], kind: "comment" };
    }
    for (const mark of language.longStrings) {
      if (!rest.startsWith(mark)) continue;
      this.#push("string", this.#place + mark.length);
      return { closer: mark, kind: "string" };
    }
    for (const mark of language.strings) {
      if (rest.startsWith(mark)) return this.#string(mark);
    }
    if (language.style === "markup") {
      const tag = /^<\/?[A-Za-z][\w:.-]*|^\/?>/.exec(rest);
      if (tag !== null) return void this.#push("keyword", this.#place + tag[0].length);
      const attribute = /^[A-Za-z_:@][\w:.-]*(?==)/.exec(rest);
      if (attribute !== null) return void this.#push("key", this.#place + attribute[0].length);
    }
    const number = /^(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?)/.exec(rest);
    if (number !== null) return void this.#push("number", this.#place + number[0].length);
    const meta = /^[@#][A-Za-z_][\w.]*/.exec(rest);
    if (meta !== null) return void this.#push("meta", this.#place + meta[0].length);
    const variable = language.style === "shell" ? /^\$(?:\w+|\{[^}]*\}|[?@#*!$])/.exec(rest) : null;
    if (variable !== null) return void this.#push("type", this.#place + variable[0].length);
    const word = /^[\p{L}_$][\p{L}\p{N}_$-]*/u.exec(rest);
    if (word !== null) return void this.#word(word[0]);
    const plain = /^[^\p{L}\p{N}_$"'`#@/<*-]+|^[^]/u.exec(rest)!;
    return void this.#push("plain", this.#place + plain[0].length);
  }

  #string(mark: string): undefined {
    let end = this.#place + 1;
    while (end < this.#line.length && this.#line[end] !== mark) {
      end += this.#line[end] === "\\" ? 2 : 1;
    }
    end = Math.min(this.#line.length, end + 1);
    const isKey = this.#language.style === "data" && /^\s*:/.test(this.#line.slice(end));
    this.#push(isKey ? "key" : "string", end);
  }

  #word(match: string): void {
    // Only data languages have names with dashes.
    const word = this.#language.style === "data" ? match : /^[\p{L}\p{N}_$]+/u.exec(match)![0];
    const end = this.#place + word.length;
    const after = this.#line.slice(end);
    const key = this.#language.ignoreCase ? word.toLowerCase() : word;
    if (this.#language.style === "data" && /^\s*[:=](?!:)/.test(after)) this.#push("key", end);
    else if (this.#language.keywords.has(key)) this.#push("keyword", end);
    else if (this.#language.style !== "markup" && after.startsWith("(")) this.#push("call", end);
    else if (/^\p{Lu}[\p{L}\p{N}]*\p{Ll}/u.test(word) && this.#language.style === undefined) {
      this.#push("type", end);
    } else this.#push("plain", end);
  }
}

/** The lines of a growing text, coloured; complete lines are read once. */
export class HighlightStream {
  readonly #language: string;
  readonly #lines: Token[][] = [];
  #state: LineState | undefined;
  #offset = 0;

  constructor(language: string) {
    this.#language = language;
  }

  /** The complete lines. The array grows in place; its members never change. */
  get lines(): readonly (readonly Token[])[] {
    return this.#lines;
  }

  /**
   * Takes in `text`, which starts with what it was at the last call, until there are `most` complete lines.
   *
   * Returns the line that is not complete; nothing where more complete ones follow.
   */
  read(text: string, most = Infinity): Token[] | undefined {
    for (;;) {
      const end = text.indexOf("\n", this.#offset);
      const line = text.slice(this.#offset, end === -1 ? undefined : end);
      if (end !== -1 && this.#lines.length >= most) return undefined;
      const { tokens, state } = highlightLine(line, this.#language, this.#state);
      if (end === -1) return tokens;
      this.#lines.push(tokens);
      this.#state = state;
      this.#offset = end + 1;
    }
  }
}
