/**
 * What a checkpoint says besides its arrays is checked before anything is made of it: whoever wrote it may have lied.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import type { JsonObject } from "../../src/files/json.ts";
import type { LoadedCheckpoint } from "../../src/train/checkpoint.ts";
import { resolveOptions } from "../../src/train/options.ts";
import { readState } from "../../src/train/state.ts";

const { recipe } = resolveOptions({ preset: "tiny", vocabSize: 260 }),
  identity = { recipe, textBytes: 10, textHash: "0123456789abcdef" };
const tokens = Array.from({ length: 260 }, (_, i) => `t${i}`),
  vocabulary = { tokens, merges: ["a b"], preTokenizer: "gpt-2", firstControlId: 259, eosId: 259 };
const progress = { step: 2, reportedStep: 2, lossSum: 0, lossSteps: 0, gradientNorm: 1, sinceMs: 0, elapsedMs: 0 };

const read = (changes: object): unknown => {
  const state = {
    format: 1,
    recipe: { ...recipe },
    textBytes: 10,
    textHash: identity.textHash,
    progress,
    vocabulary,
    ...changes,
  } as unknown as JsonObject;
  return readState({ step: 2, state, arrays: new Map(), path: "c", skipped: [] } satisfies LoadedCheckpoint, identity);
};

test("a true state is read", () => assert.deepEqual(read({}), { progress, vocabulary }));

const lies: Readonly<Record<string, object>> = {
  "a token more than the model has": { vocabulary: { ...vocabulary, tokens: [...tokens, "more"] } },
  "a token twice": { vocabulary: { ...vocabulary, tokens: [...tokens.slice(1), "t1"] } },
  "text beyond its tokens": { vocabulary: { ...vocabulary, firstControlId: 261 } },
  "a border that is no number of tokens": { vocabulary: { ...vocabulary, firstControlId: -1 } },
  "an end that is no token": { vocabulary: { ...vocabulary, eosId: 260 } },
  "half a token that ends": { vocabulary: { ...vocabulary, eosId: 1.5 } },
  "no tokens": { vocabulary: { ...vocabulary, tokens: [] } },
  "a step of its own": { progress: { ...progress, step: 3 } },
  "a progress without losses": { progress: { ...progress, lossSum: null } },
};
for (const [what, changes] of Object.entries(lies)) {
  test(`${what}: refused`, () =>
    assert.throws(
      () => read(changes),
      (error) => error instanceof OnebitError && error.code === "checkpoint/mismatch",
    ));
}
