/**
 * The model in the package: that it is the one its description tells of, what it writes, and how one gets at it: by
 * `load()`, by the program, and from the packed package in an empty folder.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { inspect, load, loadTokenizer } from "../src/index.ts";
import { parseMetrics } from "../src/train/metrics.ts";
import { PRESETS } from "../src/train/presets.ts";
import expected from "./default-model/expected.json" with { type: "json" };

const FILE = "models/shakespeare.gguf";
const BYTES_MAX = 1_500_000;
const CLI = resolve("dist/cli.js");
/** Triples of bytes, counted over the training part, give 2.05 nats a byte over the validation part. */
const LOSS_OF_TRIPLES = 2.05;

const { prompt, ids, ...options } = expected.generation;
const text = new TextDecoder().decode(Uint8Array.from(ids));

describe("the model in the package", () => {
  test(`is the file in models/, at most ${BYTES_MAX / 1e6} MB`, async () => {
    assert.ok(statSync(FILE).size <= BYTES_MAX);
    assert.equal(createHash("sha256").update(readFileSync(FILE)).digest("hex"), expected.sha256);
    await using boxed = await load();
    await using named = await load(FILE);
    const rows = [...Buffer.from("Good morrow, neighbour")];
    assert.deepEqual(await boxed.logits(rows), await named.logits(rows));
  });

  test("has the shape of the preset that trains it", async () => {
    const { config, file } = await inspect(),
      { shakespeare } = PRESETS;
    assert.equal(file.format, "gguf");
    assert.deepEqual(
      [
        config.nEmbd,
        config.nLayers,
        config.nHeads,
        config.nKvHeads,
        config.nFf,
        config.contextLengthTrained,
        config.vocabSize,
      ],
      [
        shakespeare.dim,
        shakespeare.depth,
        shakespeare.heads,
        shakespeare.kvHeads,
        shakespeare.ffHidden,
        shakespeare.seqLength,
        256,
      ],
    );
  });

  test("reads bytes", async () => {
    const tokenizer = await loadTokenizer();
    assert.deepEqual([...(tokenizer?.encode("Ay, é") ?? [])], [...Buffer.from("Ay, é")]);
  });

  test("writes the same for the same seed, on one thread by default", async () => {
    await using model = await load(undefined, { contextLength: 128 });
    assert.equal(model.contextLength, 128);
    assert.equal(model.engine.threads, 1);
    assert.deepEqual((await model.generate(prompt, options).result()).ids, ids);
    await using threaded = await load(undefined, { threads: 2 });
    assert.equal(threaded.engine.threads, 2);
    assert.deepEqual((await threaded.generate(prompt, options).result()).ids, ids);
  });

  test("predicts a scene it never saw as well as its description says", async (t) => {
    await using model = await load();
    const loss = await lossOf(model, [...readFileSync("tests/default-model/excerpt.txt")]);
    t.diagnostic(`${loss} nats a byte; over all of the validation part ${expected.validationLoss}`);
    assert.ok(Math.abs(loss - expected.excerptLoss) < 1e-9, `${loss}`);
    assert.ok(loss < LOSS_OF_TRIPLES - 0.3);
    // A scene is a tenth of the validation part: it can be easier or harder, not another language.
    assert.ok(Math.abs(loss - expected.validationLoss) < 0.2);
  });

  test("cannot chat, with a reason; can embed", async () => {
    await using model = await load();
    await assert.rejects(model.chat([{ role: "user", content: "Hi" }]).result(), { code: "template/missing" });
    const [vector] = await model.embed(["O, she doth teach the torches to burn bright!"]);
    assert.equal(vector.length, model.config.nEmbd);
  });

  test("only undefined selects it", async () => {
    for (const source of [null, "", 0])
      await assert.rejects(load(source as unknown as string), { name: "OnebitError" });
  });
});

describe("its description", () => {
  const readme = readFileSync("models/README.md", "utf8"),
    records = parseMetrics(readFileSync("models/shakespeare.jsonl", "utf8"));

  test("states the real size and loss", () => {
    assert.ok(readme.includes(`${statSync(FILE).size.toLocaleString("en")} bytes`), "size");
    assert.ok(readme.includes(`${expected.validationLoss.toFixed(3)} nats`), "loss");
  });

  test("has the log of a complete run, whose last validation is that loss", () => {
    const last = records.at(-1);
    assert.equal(last?.step, PRESETS.shakespeare.steps);
    // The trainer computes in f32 with its own kernels and a float embedding; the engine has integers and 8 bits.
    assert.ok(Math.abs((last?.validationLoss ?? NaN) - expected.validationLoss) < 1e-3, `${last?.validationLoss}`);
  });

  test("shows the loss falling, of floats and binary weights too", () => {
    const svg = readFileSync("models/loss.svg", "utf8");
    assert.match(svg, /^<svg .*<\/svg>\n$/s);
    assert.equal(svg.match(/<path class="[^"]*-line [^"]*-[0-3]" d="M[^"]{100,}"/g)?.length, 4);
  });

  for (const twin of ["float", "binary"]) {
    test(`gives the loss of the ${twin} twin as the log of its whole run has it`, () => {
      const last = parseMetrics(readFileSync(`models/shakespeare-${twin}.jsonl`, "utf8")).at(-1);
      assert.equal(last?.step, PRESETS.shakespeare.steps);
      assert.ok(readme.includes(`${last?.validationLoss?.toFixed(4)}`), `${last?.validationLoss}`);
    });
  }
});

describe("onebit TEXT", () => {
  const flags = ["--seed", `${options.seed}`, "--max-tokens", `${options.maxTokens}`];
  const onebit = (args: readonly string[], input?: string) =>
    spawnSync(process.execPath, [CLI, ...args], { input: input ?? "", encoding: "utf8", timeout: 60_000 });
  const line = text.endsWith("\n") ? text : `${text}\n`;

  test("continues it, with a temperature of 0.8 by default", () => {
    assert.equal(options.temperature, 0.8);
    for (const args of [
      [prompt],
      ["run", prompt],
      ["run", "--ids", [...Buffer.from(prompt)].join()],
      ["run", FILE, prompt, "--temperature", "0.8"],
    ]) {
      const { status, stdout, stderr } = onebit([...args, ...flags]);
      assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: line, stderr: "" }, args.join(" "));
    }
    assert.equal(onebit(["run", ...flags], `${prompt}\n`).stdout, line);
    assert.notEqual(onebit([prompt, ...flags, "--temperature", "0"]).stdout, line);
  });

  test("stops after 300 bytes by default; the description shows them", () => {
    const { ids, text } = JSON.parse(onebit([prompt, "--seed", "1", "--json"]).stdout) as {
      ids: number[];
      text: string;
    };
    assert.equal(ids.length, 300);
    const wholeLines = text.slice(0, text.lastIndexOf("\n"));
    assert.ok(
      readFileSync("models/README.md", "utf8").includes(`$ onebit "${prompt}" --seed 1\n${wholeLines}\n`),
      text,
    );
  });

  test("catches mistyped commands and models", () => {
    const wrong: [string[], RegExp][] = [
      [["rnu", "x"], /no command "rnu": did you mean "run"\?/],
      [["tokenise", "m", "x"], /no command "tokenise": did you mean "tokenize"\?/],
      [["romeo"], /no command "romeo": try run, .*as a text: onebit run "romeo"/],
      [["--seed", "1", prompt], /no command "--seed": options come after/],
      [[FILE], /no command "models\/shakespeare\.gguf": to run a model: onebit run models\/shakespeare\.gguf/],
      [[prompt, "more"], /wanted: onebit TEXT \[options\]/],
      [[prompt, "--fast"], /--fast/],
    ];
    for (const [args, message] of wrong) {
      const { status, stdout, stderr } = onebit(args);
      assert.deepEqual({ status, stdout }, { status: 2, stdout: "" }, args.join(" "));
      assert.match(stderr, message);
    }
    assert.match(onebit(["run", "models/absent"]).stderr, /standard input is empty|file\/not-found/);
  });

  test("works from the packed package, in an empty folder", (t) => {
    mkdirSync("build", { recursive: true });
    const folder = mkdtempSync(resolve("build/packed-")),
      npm = { cwd: folder, encoding: "utf8", timeout: 120_000, stdio: "pipe" } as const;
    try {
      const [{ filename }] = JSON.parse(
        execFileSync("npm", ["pack", resolve("."), "--json", "--ignore-scripts"], npm),
      ) as [{ filename: string }];
      writeFileSync(join(folder, "package.json"), '{ "private": true }');
      execFileSync("npm", ["install", `./${filename}`, "--offline", "--no-audit", "--no-fund"], npm);
      const begin = performance.now();
      assert.equal(execFileSync("npx", ["--no-install", "onebit", prompt, ...flags], npm), line);
      t.diagnostic(
        `${Math.round(performance.now() - begin)} ms for ${options.maxTokens} bytes, npx and start included`,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Mean loss in nats of each byte but the first, in windows of 512 that share one. */
async function lossOf(model: Awaited<ReturnType<typeof load>>, bytes: readonly number[]): Promise<number> {
  let sum = 0;
  for (let begin = 0; begin < bytes.length - 1; begin += 512) {
    await model.eachLogits(bytes.slice(begin, Math.min(begin + 512, bytes.length - 1)), (row, logits) => {
      const max = Math.max(...logits);
      sum +=
        max +
        Math.log(logits.reduce((total, logit) => total + Math.exp(logit - max), 0)) -
        logits[bytes[begin + row + 1]];
    });
  }
  return sum / (bytes.length - 1);
}
