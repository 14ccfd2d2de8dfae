/**
 * Threads that die while a model works: it is told by a typed error, in every later call too, and nothing waits for
 * them.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import type { Thread } from "../../src/core/platform.ts";
import { load } from "../../src/load.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { ggufBytes } from "../model/gguf-bytes.ts";

const GGUF = await ggufBytes(
  { nEmbd: 256, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 512, nVocab: 64 },
  { architecture: "llama", body: "TQ2_0" },
);
/**
 * A thread that dies before the model is loaded is another failure: on a busy machine loading takes longer than a
 * thread's start.
 */
const WHEN_LOADED = "await new Promise((done) => setTimeout(done, 500));";
const WORK = "instance.exports.work(data.control, data.thread, 1);";

/** Node's platform with 3 threads, whose second worker runs what `change` makes of the source. */
function platformWith(change: (source: string) => string = (source) => source) {
  const node = nodePlatform(),
    threads: Thread[] = [];
  const spawnThread = (source: string, data: unknown): Thread => {
    assert.ok(source.includes(WORK), source);
    threads.push(node.spawnThread!(threads.length === 1 ? change(source) : source, data));
    return threads.at(-1)!;
  };
  return { platform: { ...node, spawnThread }, threads };
}

/** Threads alone do not keep a program running. */
async function ended(thread: Thread): Promise<void> {
  const life = setInterval(() => {}, 1000);
  await thread.ended;
  clearInterval(life);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "done",
    (error: unknown) => (error instanceof OnebitError ? error.code : String(error)),
  );
}

describe("a thread that dies", () => {
  test("killed between two tokens", async () => {
    const { platform, threads } = platformWith(),
      model = await load(GGUF, { platform, threads: 3 });
    const pieces = model.generate([1, 2, 3], { maxTokens: 50, ignoreEnd: true })[Symbol.asyncIterator]();
    await pieces.next();
    await threads[1].terminate();
    assert.equal(await codeOf(pieces.next()), "engine/thread-lost");
    for (const later of [model.logits([1]), model.generate([1]).result()])
      assert.equal(await codeOf(later), "engine/thread-lost");
    await model.close();
    await Promise.all(threads.map(ended));
    assert.equal(await codeOf(model.logits([1])), "model/closed");
  });

  const ends: Readonly<Record<string, string>> = {
    "by a trap": `${WHEN_LOADED} throw new WebAssembly.RuntimeError('unreachable');`,
    "by leaving": `${WHEN_LOADED} process.exit(3);`,
  };
  for (const [how, source] of Object.entries(ends)) {
    test(how, async () => {
      const { platform, threads } = platformWith((body) => body.replace(WORK, source)),
        model = await load(GGUF, { platform, threads: 3 });
      // A trap is told inside WebAssembly, where the others are; of the rest the event loop hears.
      if (how === "by leaving") await ended(threads[1]);
      assert.equal(
        await codeOf(model.generate([1, 2, 3], { maxTokens: 50, ignoreEnd: true }).result()),
        "engine/thread-lost",
      );
      assert.equal(await codeOf(model.embed(["x"])), "tokenizer/missing");
      assert.equal(await codeOf(model.logits([1])), "engine/thread-lost");
      await model.close();
      await Promise.all(threads.map(ended));
    });
  }

  // Half a minute.
  test("unseen by the event loop", {
    skip: process.env.ONEBIT_KILLS ? false : "runs in .ci/run kills",
  }, async () => {
    const { platform, threads } = platformWith((body) => body.replace(WORK, `${WHEN_LOADED} process.exit(3);`)),
      model = await load(GGUF, { platform, threads: 3 });
    assert.equal(await codeOf(model.logits([1, 2, 3])), "engine/thread-lost");
    await model.close();
    await Promise.all(threads.map(ended));
  });

  test("is no error once the model is closed", async () => {
    const { platform, threads } = platformWith(),
      model = await load(GGUF, { platform, threads: 3 });
    await model.logits([1]);
    await model.close();
    await Promise.all(threads.map(ended));
    assert.equal(await codeOf(model.logits([1])), "model/closed");
  });
});
