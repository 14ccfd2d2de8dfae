/** `onebit train` as users start it: from a text file to `onebit run` of the model. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { parseMetrics } from "../../src/train/metrics.ts";
import { grammarText } from "./train-text.ts";

const CLI = resolve("dist/cli.js");
const TIMEOUT_MS = 120_000;
const TINY = ["--preset", "tiny", "--depth", "1", "--seq", "32", "--batch", "2"];

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let folder = "";
before(() => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/train-cli-"));
  writeFileSync(join(folder, "book.txt"), grammarText(20_000));
  writeFileSync(join(folder, "book.gz"), gzipSync(grammarText(20_000)));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function onebit(
  args: readonly string[],
  onOutput: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Run> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [CLI, ...args], {
      cwd: folder,
      timeout: TIMEOUT_MS,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "",
      stderr = "",
      isKilled = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      // Once: a second Ctrl-C does not wait for anything to be saved.
      onOutput(stdout, (signal) => (isKilled ||= child.kill(signal)));
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", failed);
    child.on("close", (status) => done({ status, stdout, stderr }));
  });
}

test("from a text to a model that runs, with samples, curve, log and checkpoints", async () => {
  const trained = await onebit([
    "train",
    "book.txt",
    "--out",
    "model",
    ...TINY,
    "--steps",
    "80",
    "--sample-every",
    "40",
    "--sample-tokens",
    "12",
    "--validate-every",
    "40",
    "--name",
    "grammar",
    "--safetensors",
    "hf",
  ]);
  assert.equal(trained.status, 0, trained.stderr);
  assert.equal(trained.stderr, "");
  assert.match(trained.stdout, /^0\.05 million weights of 1\.58 bits, 80 steps of 64 tokens\nmemory \d[\d.]* MB: /);
  assert.match(trained.stdout, /^step 10: loss \d\.\d{4}$/m);
  assert.match(trained.stdout, /^step 40: validation loss \d\.\d{4} \(\d\.\d{4} bits a byte\) over \d+ tokens$/m);
  assert.match(trained.stdout, /^step 80: sample\n {2}\| /m);
  assert.match(trained.stdout, /• training\n {2}× validation\n.*model\.gguf: \d[\d.]* kB\nhf\/config\.json/s);
  assert.deepEqual(
    readdirSync(join(folder, "model")).filter((name) => !name.startsWith("checkpoint-")),
    ["loss.svg", "metrics.jsonl", "model.gguf"],
  );
  assert.equal(parseMetrics(readFileSync(join(folder, "model", "metrics.jsonl"), "utf8")).at(-1)!.step, 80);
  for (const path of [join("model", "model.gguf"), "hf"]) {
    const { status, stdout, stderr } = await onebit([
      "run",
      path,
      "the cat",
      "--max-tokens",
      "20",
      "--temperature",
      "0",
      "--json",
    ]);
    assert.equal(status, 0, stderr);
    assert.ok((JSON.parse(stdout) as { ids: number[] }).ids.length > 0);
  }
  const inspected = await onebit(["inspect", "model/model.gguf"]);
  assert.match(inspected.stdout, /grammar/);
});

test("Ctrl-C saves; --resume ends with the weights of a run in one go, on any number of threads", async () => {
  const args = [...TINY, "--steps", "300", "--sample-every", "0", "--validate-every", "0", "--checkpoint-every", "0"];
  const stopped = await onebit(
    ["train", "book.gz", "--out", "stopped", ...args, "--threads", "1"],
    (text, kill) => void (/step 20:/.test(text) && kill("SIGINT")),
  );
  assert.equal(stopped.status, 130, stopped.stderr);
  const step = Number(
    /stopped at step (\d+) and saved it; continue with the same command and --resume/.exec(stopped.stderr)?.[1],
  );
  assert.ok(step >= 20 && step < 300, stopped.stderr);
  assert.deepEqual(
    readdirSync(join(folder, "stopped")).filter((name) => name.startsWith("checkpoint-")),
    [`checkpoint-${step}.onebit`],
  );

  const again = await onebit(["train", "book.gz", "--out", "stopped", ...args]);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /found checkpoint-\d+\.onebit; resume it, or use another folder \[checkpoint\/mismatch\]/);

  const resumed = await onebit(["train", "book.gz", "--out", "stopped", ...args, "--resume", "--threads", "2"]);
  assert.equal(resumed.status, 0, resumed.stderr);
  assert.match(resumed.stderr, new RegExp(`resuming from step ${step}, `));
  const whole = await onebit([
    "train",
    "book.txt",
    "--out",
    "whole",
    ...args,
    "--export",
    "whole.gguf",
    "--threads",
    "1",
  ]);
  assert.equal(whole.status, 0, whole.stderr);
  assert.ok(readFileSync(join(folder, "whole.gguf")).equals(readFileSync(join(folder, "stopped", "model.gguf"))));
});

test("--json prints one object, --plan trains nothing", async () => {
  const trained = await onebit([
    "train",
    "book.txt",
    "--out",
    "json",
    ...TINY,
    "--steps",
    "4",
    "--sample-every",
    "2",
    "--json",
  ]);
  assert.equal(trained.stderr, "");
  const { step, validation, files, plan } = JSON.parse(trained.stdout) as {
    step: number;
    validation: { isWhole: boolean };
    files: { path: string; sizeBytes: number }[];
    plan: { totalBytes: number };
  };
  assert.equal(step, 4);
  assert.equal(validation.isWhole, true);
  assert.equal(files[0].sizeBytes, readFileSync(join(folder, files[0].path)).length);
  const planned = await onebit(["train", "nothing.txt", ...TINY, "--steps", "4", "--plan", "--json"]);
  assert.equal((JSON.parse(planned.stdout) as { plan: { totalBytes: number } }).plan.totalBytes, plan.totalBytes);
  const text = await onebit(["train", "nothing.txt", "--preset", "enwik8", "--plan"]);
  assert.match(text.stdout, /^31\.6 million weights of 1\.58 bits, 100000 steps of 16384 tokens\nmemory \d\.\d GB/);
});

test("a shape that GGUF cannot hold is refused at once, and trained with --no-gguf", async () => {
  const args = ["train", "book.txt", ...TINY, "--steps", "2", "--no-glu"];
  const refused = await onebit([...args, "--out", "no-glu"]);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /no gate.*\(train it with --no-gguf\) \[model\/unsupported-architecture\]/);
  assert.ok(!existsSync(join(folder, "no-glu", "checkpoint-2.onebit")));
  const trained = await onebit([...args, "--out", "no-glu", "--no-gguf"]);
  assert.equal(trained.status, 0, trained.stderr);
  assert.ok(
    existsSync(join(folder, "no-glu", "checkpoint-2.onebit")) && !existsSync(join(folder, "no-glu", "model.gguf")),
  );
});

describe("says what was wrong", () => {
  const usage: readonly [string[], RegExp][] = [
    [["train"], /wanted: onebit train TEXT --out FOLDER/],
    [["train", "book.txt", "--preset", "tiny"], /--out is missing/],
    [
      ["train", "book.txt", "--out", "x", "--preset", "huge"],
      /--preset: wanted shakespeare or enwik8 or tiny, got "huge"/,
    ],
    [["train", "book.txt", "--out", "x", "--dim", "wide"], /--dim: wanted an integer/],
    [["train", "book.txt", "--out", "x", "--weight-bits", "2"], /--weight-bits: wanted 1\.58 or 1 or 32, got "2"/],
    [
      ["train", "book.txt", "--out", "x", "--schedule", "up"],
      /--schedule: wanted constant or linear or cosine or two-stage/,
    ],
    [["train", "book.txt", "--out", "x", "--export", "m.gguf", "--no-gguf"], /not both/],
    [["train", "book.txt", "--out", "x", "--threads", "0"], /--threads: wanted an integer from 1/],
    [
      ["train", "book.txt", "--out", "x", "--preset", "tiny", "--heads", "3"],
      /onebit: --[a-z-]+: wanted .*\[train\/bad-option\]/,
    ],
  ];
  const failing: readonly [string[], RegExp][] = [
    [["train", "nothing.txt", "--out", "x", "--preset", "tiny"], /nothing\.txt: no such file \[file\/not-found\]/],
    [
      ["train", "empty.txt", "--out", "x", "--preset", "tiny"],
      /empty\.txt: wanted training data, found an empty file \[train\/bad-data\]/,
    ],
    [
      ["train", "short.txt", "--out", "x", "--preset", "tiny"],
      /wanted more than 64 bytes \(the sequence length\).*\[train\/bad-data\]/,
    ],
    [
      ["train", "cut.gz", "--out", "x", "--preset", "tiny"],
      /the gzip data is damaged or cut short.*\[train\/bad-data\]/,
    ],
    [
      ["train", "book.txt", "--out", "x", "--dim", "65536", "--depth", "100"],
      /wanted \d+ bytes of memory, more than WebAssembly can address.*\[train\/not-enough-memory\]/,
    ],
    [["train", "book.txt", "--out", "book.txt", "--preset", "tiny"], /\[file\/write\]/],
    [
      [
        "train",
        "book.txt",
        "--out",
        "nan",
        "--preset",
        "tiny",
        "--steps",
        "50",
        "--lr",
        "1e30",
        "--clip",
        "0",
        "--sample-every",
        "0",
      ],
      /\[train\/not-finite\]/,
    ],
  ];
  before(() => {
    writeFileSync(join(folder, "empty.txt"), "");
    writeFileSync(join(folder, "short.txt"), "short");
    writeFileSync(join(folder, "cut.gz"), gzipSync(grammarText(20_000)).subarray(0, 500));
  });
  for (const [cases, status] of [
    [usage, 2],
    [failing, 1],
  ] as const) {
    for (const [args, message] of cases) {
      test(args.join(" "), async () => {
        const run = await onebit(args);
        assert.equal(run.status, status, run.stderr);
        assert.match(run.stderr, message);
      });
    }
  }
});

test("--help lists presets and every option", async () => {
  const { stdout } = await onebit(["train", "--help"]);
  assert.match(stdout, /^Usage: onebit train TEXT --out FOLDER/m);
  for (const word of [
    "shakespeare",
    "enwik8",
    "tiny",
    "--resume",
    "--weight-bits",
    "--accumulate",
    "--schedule",
    "--checkpoint-every",
  ])
    assert.ok(stdout.includes(word), word);
});
