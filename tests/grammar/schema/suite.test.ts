/**
 * Values judged by others: JSON Schema's own suite, and real schemas of MaskBench with values that language models were
 * asked for; needs ../shared/data.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { OnebitError } from "../../../src/core/errors.ts";
import type { States } from "../../../src/grammar/states.ts";
import { accepts, acceptsInSomeOrder, spellings, statesOf } from "./texts.ts";

const FOLDER = "../shared/data/json-schema";
const skip = existsSync(FOLDER) ? false : `no ${FOLDER}`;

interface Group {
  readonly description: string;
  readonly schema: unknown;
  readonly tests: readonly { readonly description: string; readonly data: unknown; readonly valid: boolean }[];
}

function unzipped(name: string): string {
  return gunzipSync(readFileSync(`${FOLDER}/${name}`)).toString();
}

/** The states of a schema, or why it was refused. */
function statesOrError(schema: unknown): States | OnebitError {
  try {
    return statesOf(schema);
  } catch (error) {
    if (error instanceof OnebitError) return error;
    throw error;
  }
}

/** Verdicts of the suite that we do not share, by file. */
const OTHERWISE: Readonly<Record<string, (group: Group, data: unknown) => boolean>> = {
  // It wants `format` to be an annotation alone; here it asserts, as in the suite's folder `optional/format`.
  "format.json": () => true,
  // Whether Punycode is valid takes the tables of IDNA; no such label is allowed.
  "optional/format/hostname.json": (_, data) => typeof data === "string" && /^xn--/i.test(data),
};

describe("JSON Schema's suite", { skip }, () => {
  const files: Record<string, Group[]> = skip === false ? JSON.parse(unzipped("test-suite-2020-12.json.gz")) : {};

  test("every value of every schema that is not refused", () => {
    const wrong: string[] = [];
    let compiled = 0;
    let judged = 0;
    for (const [file, groups] of Object.entries(files)) {
      for (const group of groups) {
        const states = statesOrError(group.schema);
        if (states instanceof OnebitError && !/nothing fits/.test(states.message)) continue;
        compiled++;
        for (const { description, data, valid } of group.tests) {
          if (OTHERWISE[file]?.(group, data)) continue;
          judged++;
          // A text keeps the schema's order of members, and the suite's values have any.
          const found = states instanceof OnebitError ? false : acceptsInSomeOrder(states, data);
          if (found !== valid) wrong.push(`${file}: ${group.description}: ${description}`);
        }
      }
    }
    assert.deepEqual(wrong, []);
    assert.ok(compiled >= 375, `${compiled} of 461 compiled`);
    assert.ok(judged >= 1700, `${judged} values`);
  });

  test("what is refused is refused by keyword and place", () => {
    for (const group of Object.values(files).flat()) {
      const error = statesOrError(group.schema);
      if (!(error instanceof OnebitError)) continue;
      assert.match(error.code, /^grammar\/(?:unsupported|too-large)$/);
      assert.match(error.message, /^schema at "\/.*": "?\$?\w+|nothing fits/, group.description);
    }
  });
});

describe("MaskBench's schemas", { skip }, () => {
  const lines = skip === false ? unzipped("maskbench-sample.jsonl.gz").trim().split("\n") : [];

  test("95 in 100 pass; no invalid value is accepted, and no valid one refused whose members are in order", () => {
    const wrong: string[] = [];
    let passing = 0;
    for (const line of lines) {
      const { name, schema, tests } = JSON.parse(line);
      const states = statesOrError(schema);
      if (states instanceof OnebitError) continue;
      let isPassing = true;
      for (const { data, valid } of tests) {
        if (spellings(data).every((text) => accepts(states, text) === valid)) continue;
        isPassing = false;
        // Of some schemas the values have another order of members than the schema.
        if (!(valid && acceptsInSomeOrder(states, data))) wrong.push(`${name}: ${JSON.stringify(data).slice(0, 200)}`);
      }
      if (isPassing) passing++;
    }
    assert.deepEqual(wrong, []);
    assert.ok(passing / lines.length >= 0.95, `${passing} of ${lines.length} pass`);
  });
});
