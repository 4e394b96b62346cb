/** The few assertions the tests need, without a dependency. */

export function equal(actual: unknown, expected: unknown, message = ""): void {
  const one = JSON.stringify(actual), other = JSON.stringify(expected);
  if (one !== other) throw new Error(`${message}\n  actual   ${one}\n  expected ${other}`);
}

export function ok(condition: unknown, message = "a condition does not hold"): asserts condition {
  if (!condition) throw new Error(message);
}
