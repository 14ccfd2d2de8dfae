/**
 * Templates against what Jinja itself made of them: `cases.json`, written by `make-cases.py` with Python's Jinja 3.1.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Template } from "../../../src/generate/jinja/template.ts";

interface Case {
  readonly template: string;
  /** What Jinja printed, or the kind of error it raised. */
  readonly expected?: string;
  readonly error?: string;
}

const { data, cases } = JSON.parse(readFileSync("tests/generate/jinja/cases.json", "utf8")) as {
  data: Record<string, unknown>;
  cases: Case[];
};

function render(template: string): string {
  const { bos_token, eos_token, ...input } = data;
  const runs = new Template(template).render({
    input,
    trusted: { bos_token: String(bos_token), eos_token: String(eos_token) },
  });
  return runs.map(({ text }) => text).join("");
}

describe("templates print what Jinja prints", () => {
  for (const { template, expected } of cases) {
    if (expected !== undefined)
      test(JSON.stringify(template).slice(0, 150), () => assert.equal(render(template), expected));
  }
});
