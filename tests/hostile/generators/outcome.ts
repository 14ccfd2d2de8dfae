/** Gives a model to onebit as a user would: loads it, asks for logits and two tokens, closes it. */
import assert from "node:assert/strict";
import { OnebitError } from "../../../src/core/errors.ts";
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
    const logits = await model.logits(ids);
    assert.equal(logits.length, ids.length * model.vocabSize);
    if (!logits.every(Number.isFinite)) return "accepted, its numbers overflow";
    const { ids: made } = await model.generate(ids, { maxTokens: 2, temperature: 0, ignoreEnd: true }).result();
    assert.ok(
      made.every((id) => Number.isInteger(id) && id >= 0 && id < model.vocabSize),
      `made ids ${made.join(", ")}`,
    );
    return "accepted";
  } finally {
    await model.close();
  }
}
