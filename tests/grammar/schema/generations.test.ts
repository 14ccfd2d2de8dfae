/**
 * Models of random logits write under MaskBench's schemas, with every kind of sampler: all that ends is valid, says
 * Ajv. Needs ../shared/data and `npm ci --prefix tests/grammar/schema/oracle`.
 *
 * ONEBIT_GENERATIONS: how many (400).
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { OnebitError } from "../../../src/core/errors.ts";
import type { GenerateOptions, LogitsProcessor } from "../../../src/index.ts";
import { templateShowing, toolModel } from "../../generate/tools/tool-model.ts";

const DATA = "../shared/data/json-schema/maskbench-sample.jsonl.gz";
const ORACLE = "tests/grammar/schema/oracle";
const skip = !existsSync(DATA)
  ? `no ${DATA}`
  : existsSync(`${ORACLE}/node_modules/ajv`)
    ? false
    : `npm ci --prefix ${ORACLE}`;

/** Ajv is wrong about multiples from 10^21. */
const HUGE = /\d[eE]\+?\d\d|\d{21}/;
const N_GENERATIONS = Number(process.env.ONEBIT_GENERATIONS ?? 400);
const TOKENS_MAX = 4000;

/** Adds nothing, and so must change nothing. */
const idle: LogitsProcessor = () => {};

const SAMPLERS: readonly GenerateOptions[] = [
  {},
  { temperature: 0 },
  { temperature: 3, topK: 0, topP: 1 },
  { temperature: 1, topK: 3 },
  { temperature: 1.5, topP: 0.5, minP: 0.2 },
  { temperature: 1, typicalP: 0.6 },
  { temperature: 2, topNSigma: 1 },
  { temperature: 1, xtcProbability: 0.8, xtcThreshold: 0.1 },
  { dryMultiplier: 0.8, repetitionPenalty: 1.3, frequencyPenalty: 0.2, presencePenalty: 0.2 },
  { mirostat: "v2", mirostatTau: 4 },
  { temperature: 1.2, temperatureRange: 0.7 },
  { samplers: ["temperature", "min-p", "top-k"], minP: 0.05, topK: 20 },
  { logprobs: 2 },
  { speculate: "lookup" },
  { logitBias: { 34: 2, 97: -3 } },
  { logitsProcessor: idle },
];

interface Schema {
  readonly name: string;
  readonly schema: { readonly $schema?: string };
}

type Verdict = (value: unknown) => boolean;

/** By the draft that the schema names. Undefined where Ajv cannot read it. */
function verdictOf({ schema: { $schema, ...schema } }: Schema): Verdict | undefined {
  const isNew = /20(?:19|20)-/.test($schema ?? ""),
    { default: Ajv } = createRequire(`${process.cwd()}/${ORACLE}/`)(isNew ? "ajv/dist/2020" : "ajv");
  try {
    return new Ajv({ strict: false, validateFormats: false }).compile(isNew ? schema : withBareReferences(schema));
  } catch {
    return undefined;
  }
}

/** Drafts up to 7 ignore what stands beside `$ref`; Ajv does not. */
function withBareReferences(schema: object): object {
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    key !== "" && typeof value?.$ref === "string" ? { $ref: value.$ref } : value,
  );
}

describe("generations under MaskBench's schemas", { skip }, () => {
  const schemas: Schema[] =
    skip === false
      ? gunzipSync(readFileSync(DATA))
          .toString()
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line))
      : [];

  test(`${N_GENERATIONS}: what ends is valid`, async (t) => {
    // Texts of random logits end when what closes is likelier than what opens.
    await using model = toolModel({
      chatTemplate: templateShowing("tools"),
      contextLength: TOKENS_MAX + 100,
      likely: { '"': 6, "}": 5, "]": 5, ",": -2, "{": -2, "[": -2 },
    });
    const perSchema = Math.max(1, Math.ceil(N_GENERATIONS / schemas.length)),
      every = Math.max(1, Math.floor(schemas.length / (N_GENERATIONS / perSchema)));
    const wrong: string[] = [];
    const counts = { written: 0, cut: 0, refused: 0, unknown: 0 };
    for (let at = 0; at < schemas.length; at += every) {
      const one = schemas[at],
        isValid = verdictOf(one);
      if (isValid === undefined) {
        counts.unknown++;
        continue;
      }
      for (let i = 0; i < perSchema; i++) {
        const sampler = SAMPLERS[(at / every + i) % SAMPLERS.length],
          options = { ...sampler, seed: at + i, maxTokens: TOKENS_MAX, format: { jsonSchema: one.schema } };
        let text: string;
        try {
          const result = await model.generate("{", options).result();
          if (result.stopReason !== "stop") {
            counts.cut++;
            continue;
          }
          text = result.text;
        } catch (error) {
          if (!(error instanceof OnebitError && error.code.startsWith("grammar/"))) throw error;
          counts.refused++;
          break;
        }
        counts.written++;
        if (HUGE.test(text)) continue;
        if (!isValid(JSON.parse(text))) wrong.push(`${one.name}, ${JSON.stringify(sampler)}: ${text}`);
      }
    }
    t.diagnostic(JSON.stringify(counts));
    assert.deepEqual(wrong, []);
    assert.ok(counts.written >= 0.8 * N_GENERATIONS, JSON.stringify(counts));
  });
});
