/**
 * Reads JSON that is still being written: a tree that fills in.
 *
 * Every character is read once. A node never changes its kind, a key never changes its name, and a scalar is only
 * ever extended, so that a view of the tree grows and never jumps.
 */

export type JsonKind = "object" | "array" | "string" | "number" | "literal";

export class JsonNode {
  readonly kind: JsonKind;
  /** Members of an object, elements of an array. */
  readonly children: { readonly key: string; readonly node: JsonNode }[] = [];
  /** The text of a scalar: of a string without quotes and escapes. */
  text = "";
  complete = false;
  listener: (() => void) | undefined;

  constructor(kind: JsonKind) {
    this.kind = kind;
  }

  /** The value so far, as plain data. */
  get value(): unknown {
    switch (this.kind) {
      case "object":
        return Object.fromEntries(this.children.map(({ key, node }) => [key, node.value]));
      case "array":
        return this.children.map(({ node }) => node.value);
      case "string":
        return this.text;
      case "number":
        return Number(this.text.replace(/[eE.+-]+$/, "") || "0");
      default:
        return this.text === "true" ? true : this.text === "false" ? false : null;
    }
  }
}

type Expect = "value" | "first-key" | "key" | "colon" | "after" | "first-value" | "end";

const MAXIMUM_DEPTH = 200;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const LITERALS = ["true", "false", "null"];
const ESCAPES: Record<string, string> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

export class JsonStream {
  root: JsonNode | undefined;
  /** The text is not JSON, from this character on. */
  failedAt: number | undefined;
  readonly #stack: JsonNode[] = [];
  readonly #touched = new Set<JsonNode>();
  #expect: Expect = "value";
  #scalar: JsonNode | undefined;
  #key: string | undefined;
  #readingKey = false;
  #escape: string | undefined;
  #read = 0;

  get complete(): boolean {
    return this.root?.complete === true;
  }

  /** Reads more of the text. After a failure nothing more is read. */
  append(text: string): void {
    for (let place = 0; place < text.length && this.failedAt === undefined; place++) {
      if (!this.#step(text[place]!)) this.failedAt = this.#read;
      this.#read++;
    }
  }

  /** Says that no more text comes: a number at the end is complete now. */
  finish(): void {
    if (this.#scalar !== undefined && !this.#endScalar()) this.failedAt = this.#read;
  }

  /** Tells the listeners of every node that changed since the last call. */
  publish(): void {
    const touched = [...this.#touched];
    this.#touched.clear();
    for (const node of touched) node.listener?.();
  }

  #step(character: string): boolean {
    if (this.#readingKey) return this.#keyCharacter(character);
    const scalar = this.#scalar;
    if (scalar !== undefined) {
      if (scalar.kind === "string") return this.#stringCharacter(scalar, character);
      const plain = scalar.kind === "number" ? /[\d+\-.eE]/ : /[a-z]/;
      if (plain.test(character)) {
        scalar.text += character;
        this.#touched.add(scalar);
        return scalar.kind === "number" ||
          LITERALS.some((literal) => literal.startsWith(scalar.text));
      }
      if (!this.#endScalar()) return false;
    }
    if (character === " " || character === "\n" || character === "\t" || character === "\r") {
      return true;
    }
    switch (this.#expect) {
      case "value":
        return this.#start(character);
      case "first-value":
        return character === "]" ? this.#closeContainer() : this.#start(character);
      case "first-key":
        if (character === "}") return this.#closeContainer();
        return this.#startKey(character);
      case "key":
        return this.#startKey(character);
      case "colon":
        this.#expect = "value";
        return character === ":";
      case "after": {
        const container = this.#stack.at(-1)!;
        if (character === ",") {
          this.#expect = container.kind === "object" ? "key" : "value";
          return true;
        }
        return character === (container.kind === "object" ? "}" : "]") && this.#closeContainer();
      }
      case "end":
        return false;
    }
  }

  #startKey(character: string): boolean {
    this.#readingKey = character === '"';
    this.#key = "";
    return this.#readingKey;
  }

  #keyCharacter(character: string): boolean {
    if (this.#escape === undefined && character === '"') {
      this.#readingKey = false;
      this.#expect = "colon";
      return true;
    }
    const decoded = this.#decode(character);
    if (decoded === undefined) return false;
    this.#key += decoded;
    return true;
  }

  #start(character: string): boolean {
    const kind: JsonKind | undefined = character === "{"
      ? "object"
      : character === "["
      ? "array"
      : character === '"'
      ? "string"
      : /[-\d]/.test(character)
      ? "number"
      : /[tfn]/.test(character)
      ? "literal"
      : undefined;
    if (kind === undefined || this.#stack.length >= MAXIMUM_DEPTH) return false;
    const node = new JsonNode(kind);
    const container = this.#stack.at(-1);
    if (container === undefined) {
      this.root = node;
    } else {
      container.children.push({ key: this.#key ?? String(container.children.length), node });
      this.#touched.add(container);
    }
    this.#key = undefined;
    this.#touched.add(node);
    if (kind === "object" || kind === "array") {
      this.#stack.push(node);
      this.#expect = kind === "object" ? "first-key" : "first-value";
    } else {
      this.#scalar = node;
      if (kind !== "string") node.text = character;
    }
    return true;
  }

  #stringCharacter(node: JsonNode, character: string): boolean {
    if (this.#escape === undefined && character === '"') return this.#endScalar();
    const decoded = this.#decode(character);
    if (decoded === undefined) return false;
    node.text += decoded;
    this.#touched.add(node);
    return true;
  }

  /** One character of a string: what it adds, or nothing when it is not allowed. */
  #decode(character: string): string | undefined {
    if (this.#escape === undefined) {
      if (character === "\\") {
        this.#escape = "";
        return "";
      }
      return character < " " ? undefined : character;
    }
    if (this.#escape === "") {
      if (character === "u") {
        this.#escape = "u";
        return "";
      }
      this.#escape = undefined;
      return ESCAPES[character];
    }
    if (!/[0-9a-fA-F]/.test(character)) return undefined;
    this.#escape += character;
    if (this.#escape.length < 5) return "";
    const code = Number.parseInt(this.#escape.slice(1), 16);
    this.#escape = undefined;
    return String.fromCharCode(code);
  }

  #endScalar(): boolean {
    const node = this.#scalar!;
    if (node.kind === "number" && !NUMBER.test(node.text)) return false;
    if (node.kind === "literal" && !LITERALS.includes(node.text)) return false;
    node.complete = true;
    this.#scalar = undefined;
    this.#touched.add(node);
    this.#expect = this.#stack.length === 0 ? "end" : "after";
    return true;
  }

  #closeContainer(): boolean {
    const node = this.#stack.pop()!;
    node.complete = true;
    this.#touched.add(node);
    this.#expect = this.#stack.length === 0 ? "end" : "after";
    return true;
  }
}
