/** Gives a model to onebit as a user would: loads it, asks for logits and two tokens, closes it. */
import assert from "node:assert/strict";
import { OnebitError } from "../../../src/core/errors.ts";
import type { Model } from "../../../src/model.ts";
import { load } from "../../../src/load.ts";
import { FOLDER, memoryPlatform } from "../../model/memory-platform.ts";
import type { Attempt } from "./generator.ts";

/** More than any of these models needs; wasm memory is planned, and refused above it. */
const MEMORY_LIMIT_BYTES = 48e6;

/** @param files one file "model", or those of a folder with a `config.json` */
export async function attempt(files: Readonly<Record<string, Uint8Array>>): Promise<Attempt> {
  const inputBytes = Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0),
    platform = memoryPlatform(files);
  try {
    const outcome = await outcomeOf(platform, Object.hasOwn(files, "model") ? "model" : FOLDER);
    assert.equal(platform.nOpen(), 0, "a file stays open");
    return { outcome, inputBytes };
  } catch (error) {
    if (!(error instanceof OnebitError)) throw error;
    assert.equal(platform.nOpen(), 0, "a file stays open");
    assert.ok(
      error.message.length > 10 &&
        error.message.length < 1500 &&
        !/undefined|\[object|NaN positions/.test(error.message),
      error.message,
    );
    return { outcome: error.code, inputBytes };
  }
}

async function outcomeOf(platform: ReturnType<typeof memoryPlatform>, path: string): Promise<string> {
  const model = await load(path, { platform, threads: 1, memoryLimitBytes: MEMORY_LIMIT_BYTES });
  try {
    const ids = [1, 2, 3].map((id) => id % model.vocabSize).slice(0, Math.max(1, Math.min(3, model.contextLength - 1)));
    const overflows = [await overflow(model.logits(ids).then((logits) => checkLogits(logits, ids, model)))];
    const generation = model.generate(ids, { maxTokens: 2, temperature: 0, ignoreEnd: true });
    overflows.push(await overflow(generation.result().then(({ ids: made }) => checkIds(made, model))));
    return overflows.includes(true) ? "accepted, then model/not-finite" : "accepted";
  } finally {
    await model.close();
  }
}

/** Whether the numbers of an accepted model overflow, which an error must say, naming the row. */
async function overflow(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return false;
  } catch (error) {
    if (!(error instanceof OnebitError) || error.code !== "model/not-finite") throw error;
    assert.match(error.message, /after id \d+, row \d+, is (?:NaN|-?Infinity) at \d+/);
    return true;
  }
}

function checkLogits(logits: Float32Array, ids: readonly number[], { vocabSize }: Model): void {
  assert.equal(logits.length, ids.length * vocabSize);
  assert.ok(logits.every(Number.isFinite), "numbers that are none");
}

function checkIds(made: readonly number[], { vocabSize }: Model): void {
  assert.ok(
    made.every((id) => Number.isInteger(id) && id >= 0 && id < vocabSize),
    `made ids ${made.join(", ")}`,
  );
}
