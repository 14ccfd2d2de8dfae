/**
 * Random schemas: texts of their grammars are judged by Ajv, and random values by both. Needs `npm ci --prefix
 * tests/grammar/schema/oracle`. Ajv is wrong about `contains` beside `prefixItems`, and multiples from 10^21: neither
 * is asked here.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { OnebitError } from "../../../src/core/errors.ts";
import type { States } from "../../../src/grammar/states.ts";
import { Random } from "../random.ts";
import { randomSchema, randomText, randomValue } from "./random-schemas.ts";
import { acceptsInSomeOrder, statesOf } from "./texts.ts";

const ORACLE = "tests/grammar/schema/oracle";
const skip = existsSync(`${ORACLE}/node_modules/ajv`) ? false : `npm ci --prefix ${ORACLE}`;

const ROUNDS = 600;
const TEXTS = 8;
const VALUES = 15;

type Verdict = (value: unknown) => boolean;

function ajvVerdict(schema: unknown): Verdict {
  const { default: Ajv } = createRequire(`${process.cwd()}/${ORACLE}/`)("ajv/dist/2020");
  return new Ajv({ strict: false, validateFormats: false }).compile(schema);
}

/** Numbers that floats do not keep as they are written are left out. */
const INEXACT = /[eE]\+?\d|\d{16}/;

describe("random schemas", { skip }, () => {
  for (const seed of [1, 2]) {
    test(`seed ${seed}: what is written is valid, and what is valid is accepted`, () => {
      const random = new Random(seed);
      const count = { compiled: 0, texts: 0, values: 0, valid: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const schema = randomSchema(random, 3);
        const shown = JSON.stringify(schema);
        const isValid = ajvVerdict(schema);
        const states = statesOrNone(schema);
        if (states === "refused") continue;
        count.compiled++;
        for (let i = 0; i < TEXTS && states !== "nothing fits"; i++) {
          const text = randomText(states, random);
          if (text === undefined || INEXACT.test(text)) continue;
          count.texts++;
          assert.ok(isValid(JSON.parse(text)), `${text} under ${shown}`);
        }
        for (let i = 0; i < VALUES; i++) {
          const value = randomValue(random, 3);
          const wanted: boolean = isValid(value);
          count.values++;
          if (wanted) count.valid++;
          const found: boolean = states !== "nothing fits" && acceptsInSomeOrder(states, value);
          assert.equal(found, wanted, `${JSON.stringify(value)} under ${shown}`);
        }
      }
      assert.ok(
        count.compiled > ROUNDS * 0.9 && count.texts > ROUNDS * 3 && count.valid > ROUNDS,
        JSON.stringify(count),
      );
    });
  }
});

function statesOrNone(schema: unknown): States | "nothing fits" | "refused" {
  try {
    return statesOf(schema);
  } catch (error) {
    if (!(error instanceof OnebitError)) throw error;
    return /nothing fits/.test(error.message) ? "nothing fits" : "refused";
  }
}
