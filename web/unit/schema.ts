/** As much of JSON Schema as docs/schema/ uses, to check both sides of the protocol against it. */

export type Schema = { readonly [keyword: string]: unknown } | boolean;

/** The first thing that is wrong with `value`, or nothing. */
export function firstProblem(
  schema: Schema,
  value: unknown,
  root: Schema,
  path = "$",
): string | undefined {
  if (typeof schema === "boolean") return schema ? undefined : `${path} is not allowed`;
  for (const [keyword, rule] of Object.entries(schema)) {
    const problem = checkKeyword(schema, keyword, rule, value, root, path);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function checkKeyword(
  schema: { readonly [keyword: string]: unknown },
  keyword: string,
  rule: unknown,
  value: unknown,
  root: Schema,
  path: string,
): string | undefined {
  const object = typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : undefined;
  switch (keyword) {
    case "$ref": {
      const name = String(rule).replace("#/$defs/", "");
      const definitions = (root as { $defs: Record<string, Schema> }).$defs;
      return firstProblem(definitions[name]!, value, root, path);
    }
    case "type":
      return [rule].flat().some((type) => isType(String(type), value))
        ? undefined
        : `${path} is no ${rule}`;
    case "const":
      return JSON.stringify(value) === JSON.stringify(rule) ? undefined : `${path} is not ${rule}`;
    case "enum":
      return (rule as unknown[]).some((each) => JSON.stringify(each) === JSON.stringify(value))
        ? undefined
        : `${path} is ${JSON.stringify(value)}`;
    case "required":
      if (object === undefined) return undefined;
      return (rule as string[]).map((name) => name in object ? undefined : `${path} has no ${name}`)
        .find((problem) => problem !== undefined);
    case "properties":
      for (const [name, property] of Object.entries(rule as Record<string, Schema>)) {
        if (object === undefined || !(name in object)) continue;
        const problem = firstProblem(property, object[name], root, `${path}.${name}`);
        if (problem !== undefined) return problem;
      }
      return undefined;
    case "additionalProperties": {
      const known = Object.keys((schema.properties ?? {}) as object);
      for (const [name, each] of Object.entries(object ?? {})) {
        if (known.includes(name)) continue;
        const problem = firstProblem(rule as Schema, each, root, `${path}.${name}`);
        if (problem !== undefined) return problem;
      }
      return undefined;
    }
    case "items":
      if (!Array.isArray(value)) return undefined;
      return value.map((each, place) =>
        firstProblem(rule as Schema, each, root, `${path}[${place}]`)
      )
        .find((problem) => problem !== undefined);
    case "pattern":
      return typeof value !== "string" || new RegExp(String(rule)).test(value)
        ? undefined
        : `${path} is ${value}`;
    case "minimum":
      return typeof value !== "number" || value >= Number(rule)
        ? undefined
        : `${path} is below ${rule}`;
    case "allOf":
      return (rule as Schema[]).map((each) => firstProblem(each, value, root, path))
        .find((problem) => problem !== undefined);
    case "anyOf":
    case "oneOf": {
      const problems = (rule as Schema[]).map((each) => firstProblem(each, value, root, path));
      return problems.includes(undefined) ? undefined : problems[0];
    }
    case "not":
      return firstProblem(rule as Schema, value, root, path) === undefined
        ? `${path} is what it must not be`
        : undefined;
    case "if":
      return firstProblem(rule as Schema, value, root, path) === undefined
        ? firstProblem((schema.then ?? true) as Schema, value, root, path)
        : firstProblem((schema.else ?? true) as Schema, value, root, path);
    default:
      return undefined;
  }
}

function isType(type: string, value: unknown): boolean {
  switch (type) {
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "null":
      return value === null;
    case "string":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    default:
      return type === "boolean" && typeof value === "boolean";
  }
}
