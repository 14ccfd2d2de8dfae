/** Training: it learns, says what it does, and refuses what makes no sense before memory or time is spent. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { bytesSource } from "../../src/core/byte-source.ts";
import { OnebitError } from "../../src/core/errors.ts";
import { load } from "../../src/load.ts";
import { Runtime } from "../../src/nn/runtime.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { PRESETS } from "../../src/train/presets.ts";
import { readTextFile } from "../../src/train/text-file.ts";
import type { TrainEvent } from "../../src/train/events.ts";
import { type TrainingOptions, openTraining } from "../../src/train/open.ts";
import { type RecipeOptions, resolveOptions, shapeOf } from "../../src/train/options.ts";
import { planTraining } from "../../src/train/plan.ts";
import { TransformerTrainer } from "../../src/train/transformer-trainer.ts";
import { vocabularyTokenizer } from "../../src/train/vocabulary.ts";
import { openTraining as openAsUser, train } from "../../src/train.ts";
import { grammarText } from "./train-text.ts";

const platform = nodePlatform(),
  text = grammarText(20_000);
const root = mkdtempSync(join(tmpdir(), "onebit-train-"));
after(() => rmSync(root, { recursive: true, force: true }));
const freshFolder = (): string => mkdtempSync(join(root, "run-"));
const isCode =
  (code: string, message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof OnebitError && error.code === code && message.test(error.message);

/** Small enough for a tenth of a second. */
const SMALL: TrainingOptions = { preset: "tiny", depth: 1, seqLength: 32, batch: 2, steps: 6, text, platform };

describe("learning", () => {
  test("a repeated text is learned by heart, from the loss of chance to almost none", async () => {
    const sentence = new TextEncoder().encode(
      "All happy families are alike; each unhappy family is unhappy in its own way. ",
    );
    const repeated = Uint8Array.from({ length: 8000 }, (_, i) => sentence[i % sentence.length]);
    const losses: number[] = [],
      events: TrainEvent[] = [];
    const { gguf, metrics } = await train({
      ...SMALL,
      text: repeated,
      depth: 2,
      seqLength: 64,
      batch: 4,
      steps: 300,
      threads: 1,
      sampleEvery: 0,
      onEvent: (event) => void (event.kind === "step" ? losses.push(event.loss) : events.push(event)),
    });
    // Chance is ln 256 = 5.5; the letters' frequencies alone give 2.8.
    assert.ok(losses[0] > 5 && losses[0] < 6, `${losses[0]}`);
    assert.ok(losses.at(-1)! < 0.2, `${losses.at(-1)}`);
    assert.ok(metrics.at(-1)!.validationLoss! < 0.2);
    await using model = await load(gguf, { platform, threads: 1 });
    const { text: written } = await model
      .generate("All happy families are", { temperature: 0, maxTokens: 40 })
      .result();
    assert.equal(written, " alike; each unhappy family is unhappy i");
  });

  for (const [name, options] of Object.entries({
    binary: { weightBits: 1, ffHidden: 128 },
    floats: { weightBits: 32 },
    "squared ReLU": { activation: "relu2" },
    "float head": { subNorms: false, tied: false },
    pairs: { vocabSize: 320 },
    "two stages": { schedule: "two-stage" },
    dropout: { dropout: 0.2 },
    accumulated: { accumulation: 4, batch: 1 },
  } satisfies Record<string, RecipeOptions>)) {
    test(`with ${name}, the loss falls and the file predicts what training says`, async () => {
      await using training = await openTraining({
        ...SMALL,
        dim: 128,
        batch: 4,
        ...options,
        steps: 60,
        learningRate: 5e-3,
      });
      const losses: number[] = [];
      for await (const event of training) if (event.kind === "step") losses.push(event.loss);
      assert.ok(losses.at(-1)! < losses[0] - 1, `${losses[0]} to ${losses.at(-1)}`);
      const validation = (await training.validate()) ?? assert.fail("nothing to validate on");
      await using model = await load(await training.gguf({ embedding: "F32" }), { platform, threads: 1 });
      const { meanNll } = await model.perplexity([
        ...validationWindow(training.model.vocabulary, training.recipe.vocabSize),
      ]);
      // Its windows are one id shorter, so each id is told a little less; and llama files have finer activations.
      assert.ok(Math.abs(meanNll - validation.loss) < 0.05 * validation.loss, `${meanNll} against ${validation.loss}`);
    });
  }

  /** The ids of the validation part: the last tenth. */
  function validationWindow(vocabulary: Parameters<typeof vocabularyTokenizer>[0], vocabSize: number): number[] {
    const part = text.subarray(text.length - Math.floor(text.length / 10));
    return vocabSize === 256
      ? [...part]
      : vocabularyTokenizer(vocabulary).encode(new TextDecoder().decode(part), { addSpecial: false });
  }
});

describe("what it says", () => {
  test("events come in order, and the last step brings every periodic one", async () => {
    const folder = freshFolder(),
      kinds: string[] = [];
    const sampler = async (
      gguf: Uint8Array,
      { promptIds, maxTokens }: { promptIds: readonly number[]; maxTokens: number },
    ): Promise<string> => {
      assert.equal(new TextDecoder().decode(gguf.subarray(0, 4)), "GGUF");
      return `${promptIds.length} ${maxTokens}`;
    };
    await using training = await openTraining({
      ...SMALL,
      folder,
      sampler,
      logEvery: 4,
      validateEvery: 3,
      sampleEvery: 5,
      checkpointEvery: 4,
      samplePrompt: "ab",
    });
    for await (const event of training)
      kinds.push(
        event.kind === "sample" ? `sample ${event.step} ${event.prompt} ${event.text}` : `${event.kind} ${event.step}`,
      );
    assert.deepEqual(kinds, [
      "step 1",
      "step 2",
      "step 3",
      "validation 3",
      "step 4",
      "checkpoint 4",
      "step 5",
      "sample 5 ab 2 30",
      "step 6",
      "validation 6",
      "sample 6 ab 2 30",
      "checkpoint 6",
      "done 6",
    ]);
    assert.deepEqual(
      training.metrics.map(({ step }) => step),
      [3, 4, 6],
    );
    assert.deepEqual(readdirSync(folder), [
      "checkpoint-4.onebit",
      "checkpoint-6.onebit",
      "loss.svg",
      "metrics.jsonl",
      "training.lock",
    ]);
    assert.match(readFileSync(join(folder, "loss.svg"), "utf8"), /^<svg .*<\/svg>\n$/s);
  });

  test("the log has the mean loss since the line before, tokens and rates", async () => {
    const losses: number[] = [];
    await using training = await openTraining({ ...SMALL, logEvery: 3, validateEvery: 0 });
    for await (const event of training) if (event.kind === "step") losses.push(event.loss);
    const [first, second] = training.metrics;
    assert.equal(first.trainLoss, (losses[0] + losses[1] + losses[2]) / 3);
    assert.equal(second.trainLoss, (losses[3] + losses[4] + losses[5]) / 3);
    assert.deepEqual([first.tokens, second.tokens], [192, 384]);
    assert.ok(second.elapsedMs > first.elapsedMs && second.tokensPerSecond! > 0 && second.gradNorm! > 0);
    assert.equal(second.validationLoss, undefined);
  });

  test("bits per byte count bytes, not tokens", async () => {
    await using bytes = await openTraining(SMALL);
    const all = (await bytes.validate())!,
      some = (await bytes.validate(3))!;
    assert.equal(all.tokens, Math.floor(text.length / 10) - 1);
    assert.ok(all.isWhole && !some.isWhole);
    assert.equal(some.tokens, 96);
    assert.ok(Math.abs(all.bitsPerByte - all.loss / Math.LN2) < 1e-12);
    await using pairs = await openTraining({ ...SMALL, vocabSize: 400 });
    const judged = (await pairs.validate())!;
    // The first token is not predicted; it has a few bytes.
    const bytesJudged = (judged.loss * judged.tokens) / Math.LN2 / judged.bitsPerByte;
    assert.ok(Math.abs(bytesJudged - text.length / 10) < 12, `${bytesJudged}`);
    assert.ok(judged.tokens < bytesJudged / 2);
  });

  test("timers and clicks run between steps", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await using training = await openTraining({ ...SMALL, steps: 60 });
    for await (const event of training) void event;
    clearInterval(timer);
    assert.ok(turns >= 3, `${turns}`);
  });
});

describe("memory", () => {
  for (const [name, options] of Object.entries({
    tiny: { preset: "tiny" },
    shakespeare: { preset: "shakespeare", batch: 1 },
    "untied floats": { preset: "tiny", weightBits: 32, tied: false, vocabSize: 1000 },
  } satisfies Record<string, RecipeOptions>)) {
    test(`the plan of ${name} is what is taken, within a few percent, and never less`, async () => {
      const { recipe } = resolveOptions(options),
        { batch, seqLength, dropout } = recipe;
      for (const threads of [1, 2]) {
        const plan = planTraining(recipe, { threads }),
          runtime = await Runtime.open({ threads, platform });
        const trainer = new TransformerTrainer(runtime, { shape: shapeOf(recipe), batch, seqLength, dropout });
        trainer.step(1, { learningRate: 1e-3, weightDecay: 0 }, () => {});
        assert.ok(
          plan.totalBytes >= runtime.memoryBytes - 65_536,
          `${plan.totalBytes} planned, ${runtime.memoryBytes} taken`,
        );
        assert.ok(
          plan.totalBytes < 1.1 * runtime.memoryBytes + 1_000_000,
          `${plan.totalBytes} planned, ${runtime.memoryBytes} taken`,
        );
        await runtime.close();
      }
    });
  }

  test("the classic recipe fits WebAssembly", () => {
    const { totalBytes, parameters, tokensPerStep } = planTraining(resolveOptions({ preset: "enwik8" }).recipe, {
      threads: 8,
    });
    assert.equal(parameters, 31_617_536);
    assert.equal(tokensPerStep, 16_384);
    assert.ok(totalBytes < 2.5e9, `${totalBytes}`);
  });

  const impossible: readonly [RecipeOptions, RegExp][] = [
    [
      { dim: 1 << 20, heads: 8, depth: 1024 },
      new RegExp(
        String.raw`training \d+ parameters on 8 × 64 tokens a pass: wanted \d{12,} bytes of memory, ` +
          String.raw`more than WebAssembly can address \(4294967296 bytes\)`,
      ),
    ],
    [{ batch: 1 << 20 }, /wanted \d{10,} bytes of memory, more than WebAssembly can address/],
    [{ seqLength: 1 << 24, validationFraction: 0 }, /wanted \d{10,} bytes of memory|training data: wanted more than/],
    [{ vocabSize: 1 << 20, dim: 512 }, /wanted \d{10,} bytes of memory/],
  ];
  for (const [options, message] of impossible) {
    test(`${JSON.stringify(options)} is refused before any is taken`, async () => {
      const before = process.memoryUsage().arrayBuffers;
      assert.throws(
        () => planTraining(resolveOptions({ preset: "tiny", ...options }).recipe),
        isCode("train/not-enough-memory", message),
      );
      await assert.rejects(
        openTraining({ ...SMALL, ...options }),
        (error) => error instanceof OnebitError && /train\/(?:not-enough-memory|bad-data)/.test(error.code),
      );
      assert.ok(process.memoryUsage().arrayBuffers - before < 50e6);
    });
  }

  test("refuses more memory than the platform has, with both numbers", async () => {
    await assert.rejects(
      openTraining({ ...SMALL, platform: { ...platform, availableMemoryBytes: () => 1_000_000 } }),
      isCode("train/not-enough-memory", /wanted \d{7} bytes of memory, more than is free \(1000000 bytes\)/),
    );
  });
});

describe("refused", () => {
  const options: readonly [RecipeOptions, RegExp][] = [
    [{ preset: "huge" as "tiny" }, /^preset: wanted "shakespeare", "enwik8" or "tiny", got "huge"/],
    [{ preset: "toString" as "tiny" }, /^preset: wanted/],
    [{ dim: 0 }, /^dim: wanted an integer from 1/],
    [{ dim: 60 }, /^headDim: wanted/],
    [{ headDim: 12 }, /^headDim: wanted a multiple of 8, found 12/],
    [{ kvHeads: 3 }, /^kvHeads: wanted a divisor of the 4 heads, found 3/],
    [{ vocabSize: 255 }, /^vocabSize: wanted an integer from 256/],
    [{ vocabSize: 257 }, /^vocabSize: wanted 256 \(bytes\), or at least 258/],
    [{ depth: 1.5 }, /^depth/],
    [{ batch: 0 }, /^batch/],
    [{ accumulation: -1 }, /^accumulation/],
    [{ steps: 0 }, /^steps/],
    [{ seqLength: 1e9 }, /^seqLength/],
    [{ learningRate: NaN }, /^learningRate/],
    [{ learningRate: -1 }, /^learningRate/],
    [{ learningRate: Infinity }, /^learningRate/],
    [{ floor: 1 }, /^floor learning rate/],
    [{ warmupSteps: 400 }, /^warmupSteps/],
    [{ schedule: "steps" as "linear" }, /^schedule: wanted "constant", "linear", "cosine" or "two-stage"/],
    [{ secondPeak: 9 }, /^secondPeak/],
    [{ beta1: 1 }, /^beta1: wanted a number from 0 to below 1, got 1/],
    [{ beta2: -0.1 }, /^beta2/],
    [{ epsilon: 0 }, /^epsilon/],
    [{ clipNorm: -1 }, /^clipNorm/],
    [{ weightDecay: NaN }, /^weightDecay/],
    [{ dropout: 1 }, /^dropout/],
    [{ weightBits: 2 as 1 }, /^weightBits: wanted 1, 1\.58 or 32, got 2/],
    [{ activationBits: 4 as 8 }, /^activationBits/],
    [{ activation: "tanh" as "silu" }, /^activation: wanted "silu", "relu2" or "gelu", got "tanh"/],
    [{ seed: -1 }, /^seed/],
    [{ dataSeed: 0.5 }, /^dataSeed/],
    [{ validationFraction: 1 }, /^validationFraction/],
    [
      { validationFraction: 0.1, validationBytes: 5 },
      /^validation: wanted validationFraction or validationBytes, found both/,
    ],
    [{ logEvery: 0 }, /^logEvery/],
    [{ validateEvery: -1 }, /^validateEvery/],
    [{ sampleTokens: 0 }, /^sampleTokens/],
    [{ checkpointEvery: 0.5 }, /^checkpointEvery/],
    [{ maxBytes: -1 }, /^maxBytes/],
    [{ tied: 1 as unknown as boolean }, /^tied/],
  ];
  for (const [given, message] of options) {
    test(`option ${JSON.stringify(given)}`, async () => {
      await assert.rejects(
        openAsUser({ ...SMALL, preset: "tiny", steps: undefined, ...given }),
        isCode("train/bad-option", message),
      );
    });
  }

  const texts: readonly [what: string, given: Partial<TrainingOptions>, message: RegExp][] = [
    ["an empty text", { text: new Uint8Array(0) }, /it is empty/],
    [
      "a text of one byte",
      { text: Uint8Array.of(65), validationFraction: 0 },
      /wanted text besides the 0 bytes for validation, found 1 bytes in all/,
    ],
    [
      "a text shorter than a sequence",
      { text: text.subarray(0, 30) },
      /wanted more than 32 bytes \(the sequence length\) besides those for validation, found 27/,
    ],
    ["a text as long as a sequence", { text: text.subarray(0, 32), validationFraction: 0 }, /found 32/],
    [
      "a text of which all is validation",
      { validationBytes: text.length },
      /wanted text besides the \d+ bytes for validation/,
    ],
    ["a validation part of one byte", { validationBytes: 1 }, /wanted no tokens or at least 2, found 1/],
    [
      "few tokens of many bytes",
      { text: grammarText(300), vocabSize: 512, seqLength: 200 },
      /wanted more than 200 tokens/,
    ],
    [
      "bytes that are no UTF-8, for byte pairs",
      { text: Uint8Array.from({ length: 4000 }, (_, i) => 128 + (i % 100)), vocabSize: 300 },
      /wanted UTF-8 for a vocabulary of byte pairs/,
    ],
  ];
  for (const [what, given, message] of texts) {
    test(what, async () => assert.rejects(openTraining({ ...SMALL, ...given }), isCode("train/bad-data", message)));
  }

  test("any bytes train as bytes", async () => {
    await using training = await openTraining({
      ...SMALL,
      text: Uint8Array.from({ length: 4000 }, (_, i) => (i * i) >> 3),
      steps: 2,
    });
    for await (const event of training) void event;
    assert.equal(training.step, 2);
  });

  test("a shape that GGUF cannot hold, before the first step", async () => {
    let steps = 0;
    await assert.rejects(
      train({ ...SMALL, glu: false, onEvent: () => steps++ }),
      isCode("model/unsupported-architecture", /no gate/),
    );
    assert.equal(steps, 0);
  });

  test("a platform without files, for a folder", async () => {
    const { writeFileAtomically: _none, ...noFiles } = platform;
    await assert.rejects(
      openTraining({ ...SMALL, platform: noFiles, folder: freshFolder() }),
      isCode("engine/unsupported", /no file system/),
    );
  });

  test("a foreign log in the folder, which stays as it is", async () => {
    const folder = freshFolder(),
      { writeFileSync } = await import("node:fs");
    writeFileSync(join(folder, "metrics.jsonl"), "dear diary\n");
    await assert.rejects(openTraining({ ...SMALL, folder }), isCode("train/bad-data", /line 1: wanted a JSON object/));
    assert.equal(readFileSync(join(folder, "metrics.jsonl"), "utf8"), "dear diary\n");
  });
});

describe("numbers that run away", () => {
  test("end the training with the step and what is kept", async () => {
    const folder = freshFolder();
    await using training = await openTraining({
      ...SMALL,
      folder,
      steps: 50,
      learningRate: 1e30,
      warmupSteps: 20,
      clipNorm: 0,
      checkpointEvery: 1,
      logEvery: 1,
    });
    let saved = 0;
    const what = /(?:step \d+: (?:the loss is|".*" has a weight that is)|metrics of step)/;
    const kept = /(?:the checkpoint of step \d+ is kept|no checkpoint was saved before)/;
    await assert.rejects(
      async () => {
        for await (const event of training) if (event.kind === "checkpoint") saved = event.step;
      },
      isCode("train/not-finite", new RegExp(`${what.source}.*${kept.source}`)),
    );
    assert.ok(saved < 50);
    const checkpoints = readdirSync(folder).filter((name) => name.startsWith("checkpoint-"));
    if (saved > 0) assert.ok(checkpoints.includes(`checkpoint-${saved}.onebit`));
  });
});

test("presets: whole recipes that plan; a gzip file of text is read as it is", async () => {
  for (const name of Object.keys(PRESETS) as (keyof typeof PRESETS)[])
    assert.ok(planTraining(resolveOptions({ preset: name }).recipe).totalBytes > 0);
  const read = await readTextFile(bytesSource(new Uint8Array(gzipSync(text))), { maxBytes: 10_000 });
  await using training = await openTraining({ ...SMALL, text: read, steps: 1 });
  for await (const event of training) void event;
  assert.equal(training.step, 1);
});
