/**
 * A model that is closed while it works, used after that, or asked for what it cannot do; and a hundred models in a
 * row, which must leave nothing behind.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { build } from "esbuild";
import { type ErrorCode, OnebitError } from "../../src/core/errors.ts";
import { bytesSource } from "../../src/core/byte-source.ts";
import type { Model } from "../../src/model.ts";
import { load } from "../../src/load.ts";
import { ggufBytes } from "../model/gguf-bytes.ts";
import { IDS } from "../model/logits.ts";
import { memoryPlatform } from "../model/memory-platform.ts";
import type { TinyShape } from "../model/tiny-model.ts";
import { openSource } from "../runtime/open-engine.ts";
import type { Cycle } from "./load-cycles.ts";

const SHAPE: TinyShape = { nEmbd: 256, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 64, nFf: 512, nVocab: 64 };
const GGUF = await ggufBytes(SHAPE, { architecture: "llama", body: "TQ2_0" });

describe("the event loop has its turns, although nothing that is awaited ever waits", () => {
  const uses: Readonly<
    Record<string, (model: Model, signal: AbortSignal) => Promise<{ readonly stopReason: string } | Float32Array>>
  > = {
    "one long answer after the other": (model, signal) =>
      model.generate([1], { maxTokens: 100, ignoreEnd: true, signal }).result(),
    "answers of one token": (model, signal) => model.generate([1], { maxTokens: 1, ignoreEnd: true, signal }).result(),
    logits: (model, signal) => model.logits(IDS, { signal }),
  };
  for (const [name, use] of Object.entries(uses)) {
    test(`${name}: a timer stops it`, async () => {
      await using model = await load(GGUF, { threads: 1 });
      const abort = new AbortController(),
        begin = performance.now();
      setTimeout(() => abort.abort(), 50);
      let outcome = "";
      while (outcome !== "aborted" && performance.now() - begin < 5000)
        outcome = await use(model, abort.signal).then(
          (result) => ("stopReason" in result ? result.stopReason : "done"),
          codeOf,
        );
      assert.equal(outcome, "aborted");
    });
  }
});

describe("closing", () => {
  const uses: Readonly<Record<string, (model: Model) => Promise<unknown>>> = {
    logits: (model) => model.logits([...IDS, ...IDS, ...IDS]),
    perplexity: (model) => model.perplexity([...IDS, ...IDS, ...IDS], { context: 64 }),
    generate: (model) => model.generate(IDS, { maxTokens: 80, ignoreEnd: true, temperature: 0 }).result(),
    truncate: (model) => model.truncate(3),
  };
  for (const threads of [1, 2]) {
    for (const [name, use] of Object.entries(uses)) {
      test(
        `while ${name} runs, ${threads} thread${threads > 1 ? "s" : ""}: it ends, all of it, and later uses are ` +
          "refused",
        async () => {
          const platform = memoryPlatform({ model: GGUF }),
            model = await load("model", { platform, threads });
          const running = use(model).then(
            (result) => (result as { stopReason?: string } | undefined)?.stopReason ?? "done",
            codeOf,
          );
          await new Promise((resolve) => setImmediate(resolve));
          await Promise.all([model.close(), model.close()]);
          await model.close();
          assert.ok(["aborted", "done", "length", "context"].includes(await running), await running);
          assert.deepEqual([platform.nOpen(), platform.nThreads()], [0, 0]);
          assert.equal(await use(model).then(() => "done", codeOf), "model/closed");
          assert.equal(model.config.architecture, "llama");
        },
      );
    }
  }

  test("waiting calls end as aborted, in any order", async () => {
    const model = await load(GGUF, { threads: 1 });
    const calls = Array.from({ length: 5 }, () => model.logits(IDS).then(() => "done", codeOf));
    await model.close();
    for (const outcome of await Promise.all(calls)) assert.ok(["done", "aborted"].includes(outcome), outcome);
  });

  test("leaves what was handed out readable, and what was not started refused", async () => {
    const model = await load(GGUF, { threads: 1 });
    const logits = await model.logits(IDS),
      copy = logits.slice(),
      later = model.generate(IDS, { maxTokens: 3 });
    await model.close();
    assert.deepEqual(logits, copy);
    assert.equal(await later.result().then(() => "done", codeOf), "model/closed");
  });

  test("an engine twice at once, or under a batch: its threads stop once, the batch is refused", async () => {
    for (const threads of [1, 2, 3]) {
      const engine = await openSource(bytesSource(GGUF), { threads });
      const running = engine.evaluate([...IDS, ...IDS, ...IDS], engine.pages.open([])).then(() => "done", codeOf);
      await Promise.all([engine.close(), engine.close()]);
      assert.equal(await running, "model/closed");
      assert.equal(await engine.evaluate([1], engine.pages.open([])).then(() => "done", codeOf), "model/closed");
    }
  });

  test("`await using` closes", async () => {
    const platform = memoryPlatform({ model: GGUF });
    const model = await load("model", { platform, threads: 2 });
    await model[Symbol.asyncDispose]();
    assert.deepEqual([platform.nOpen(), platform.nThreads()], [0, 0]);
  });
});

describe("asking for what cannot be", () => {
  let model: Model;
  before(async () => void (model = await load(GGUF, { threads: 1, contextLength: 40 })));
  after(() => model.close());

  const long = Array.from({ length: 41 }, () => 1);
  const cases: readonly (readonly [what: string, use: (model: Model) => Promise<unknown>, code: ErrorCode])[] = [
    ...[-1, 64, 1.5, NaN, Infinity, 2 ** 31, 2 ** 32].map(
      (id) => [`id ${id}`, (m: Model) => m.logits([1, id]), "model/bad-token"] as const,
    ),
    ...[-1, 64, 1.5, NaN].map(
      (id) => [`id ${id} in a prompt`, (m: Model) => m.generate([1, id]).result(), "model/bad-token"] as const,
    ),
    ["ids as text", (m) => m.logits(["1"] as unknown as number[]), "model/bad-token"],
    ["no ids", (m) => m.logits([]), "option/invalid"],
    ["an empty prompt", (m) => m.generate([]).result(), "option/invalid"],
    ["more ids than the context", (m) => m.logits(long), "model/context-full"],
    ["a longer prompt than the context", (m) => m.generate(long).result(), "model/context-full"],
    ["text, of a model without a vocabulary", (m) => m.generate("text").result(), "tokenizer/missing"],
    ["embeddings of a model without a vocabulary", (m) => m.embed(["text"]), "tokenizer/missing"],
    [
      "a chat of a model without a vocabulary",
      (m) => m.chat([{ role: "user", content: "hi" }]).result(),
      "tokenizer/missing",
    ],
  ];
  for (const [what, use, code] of cases) {
    test(what, async () => {
      assert.equal(await use(model).then(() => "done", codeOf), code);
      assert.equal((await model.logits(IDS)).length, IDS.length * 64, "the model works on");
    });
  }

  test("the engine itself refuses ids and positions that its memory has no place for", async () => {
    const engine = await openSource(bytesSource(GGUF), { threads: 1, contextLength: 8 });
    for (const [ids, position, code] of [
      [[64], 0, "model/bad-token"],
      [[-1], 0, "model/bad-token"],
      [[0.5], 0, "model/bad-token"],
      [[1], 8, "model/context-full"],
      [[1, 1], 7, "model/context-full"],
    ] as const) {
      const sequence = engine.pages.open([]);
      await engine.evaluate(
        Array.from({ length: position }, () => 1),
        sequence,
        { want: "none" },
      );
      assert.equal(await engine.evaluate(ids, sequence).then(() => "done", codeOf), code);
      sequence.close();
    }
    await engine.close();
  });

  test("a context filled to its last position stops there", async () => {
    const { ids, stopReason } = await model.generate(IDS, { maxTokens: 100, ignoreEnd: true, temperature: 0 }).result();
    assert.equal(stopReason, "context");
    // The last id needs no position: nothing follows it.
    assert.equal(ids.length, 40 - IDS.length + 1);
  });
});

describe("a hundred models, one after the other, two threads each", () => {
  let folder = "";
  before(() => {
    mkdirSync("build", { recursive: true });
    folder = mkdtempSync(resolve("build/cycles-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Of weights, which loading writes to, so that they are resident; a hundred models that stay would take 800 MB. */
  const WEIGHT_BYTES = 8e6;
  /** Growth allowed between the tenth model and the last: what six of them take. */
  const GROWTH_BYTES_MAX = 48e6;

  test("memory, threads and files come back", async (t) => {
    const program = join(folder, "cycles.mjs"),
      model = join(folder, "model.gguf");
    writeFileSync(
      model,
      await ggufBytes({ ...SHAPE, nVocab: 8192, tied: true }, { architecture: "llama", body: "TQ2_0" }),
    );
    // The kernels were built for this run's own bundle.
    const kernels = {
      name: "kernels",
      setup: (b: import("esbuild").PluginBuild) =>
        void b.onResolve({ filter: /^#kernels\// }, ({ path }) => ({
          path: resolve(`build/kernels.${path.slice("#kernels/".length)}.wasm`),
        })),
    };
    await build({
      entryPoints: ["tests/hostile/load-cycles.ts"],
      outfile: program,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      packages: "external",
      loader: { ".wasm": "binary", ".gguf": "binary" },
      logLevel: "warning",
      plugins: [kernels],
    });
    const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", program, model, "100"], {
      timeout: 300_000,
      maxBuffer: 1e7,
    });
    const cycles = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Cycle);
    assert.equal(cycles.length, 100);
    assert.ok(
      cycles.every(({ weightBytes }) => weightBytes > WEIGHT_BYTES),
      `models of ${cycles[0].weightBytes} bytes prove nothing`,
    );
    const [tenth, last] = [cycles[9], cycles[99]];
    t.diagnostic(
      `resident: ${cycles
        .filter((_, i) => i % 10 === 9)
        .map(({ residentBytes }) => Math.round(residentBytes / 1e6))
        .join(", ")} MB; heap ${Math.round(tenth.heapBytes / 1e6)}, ${Math.round(last.heapBytes / 1e6)} MB`,
    );
    assert.ok(
      last.residentBytes - tenth.residentBytes < GROWTH_BYTES_MAX,
      `resident bytes grew from ${tenth.residentBytes} to ${last.residentBytes}`,
    );
    assert.ok(last.heapBytes - tenth.heapBytes < 5e6, `the heap grew from ${tenth.heapBytes} to ${last.heapBytes}`);
    assert.deepEqual([last.nFiles, last.nOsThreads], [tenth.nFiles, tenth.nOsThreads]);
    assert.equal(new Set(cycles.map(({ logitsHash }) => logitsHash)).size, 1);
  });
});

function codeOf(error: unknown): string {
  assert.ok(error instanceof OnebitError, error instanceof Error ? error.stack : String(error));
  return error.code;
}
