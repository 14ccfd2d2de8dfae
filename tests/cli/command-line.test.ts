/**
 * The program as users start it: `dist/cli.js` in a process of its own, over a small synthetic model. What it prints,
 * its JSON, its exit codes.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { load } from "../../src/index.ts";
import { syntheticModel } from "../synthetic/model.ts";
import type { Shape } from "../synthetic/shapes.ts";
import { writeModelFile } from "../synthetic/write-file.ts";

const CLI = resolve("dist/cli.js");
const TIMEOUT_MS = 60_000;
const N_VOCAB = 640;

const SHAPE: Shape = {
  architecture: "qwen3",
  nEmbd: 256,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 64,
  nFf: 512,
  nVocab: N_VOCAB,
  contextLength: 65_536,
  ropeTheta: 10_000,
  normEps: 1e-6,
  tied: true,
  bodyType: "TQ2_0",
  headType: "F16",
  scalePerTensor: false,
};

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface SpawnOptions {
  input?: string;
  /** Called with each chunk of output; may send signals. */
  onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

let folder = "";
let model = "";

before(async () => {
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/cli-"));
  model = join(folder, "model.gguf");
  await writeModelFile(model, syntheticModel(SHAPE, 1));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function onebit(args: readonly string[], { input = "", onOutput }: SpawnOptions = {}): Promise<Run> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, timeout: TIMEOUT_MS });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      onOutput?.(text, (signal) => child.kill(signal));
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("error", failed);
    child.on("close", (status) => done({ status, stdout, stderr }));
  });
}

async function json(args: readonly string[], options?: SpawnOptions): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await onebit([...args, "--json"], options);
  assert.equal(status, 0, stderr);
  assert.equal(stderr, "");
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe("onebit", () => {
  test("--help and --version", async () => {
    const help = await onebit(["--help"]);
    assert.equal(help.status, 0);
    for (const command of ["run", "chat", "logits", "tokenize", "inspect", "perplexity", "bench"]) {
      assert.match(help.stdout, new RegExp(`^  ${command} `, "m"));
      const { status, stdout } = await onebit([command, "--help"]);
      assert.equal(status, 0);
      assert.match(stdout, new RegExp(`^Usage: onebit ${command} \\[?MODEL`, "m"));
      assert.match(stdout, new RegExp(`^Examples:\\n  onebit ${command} `, "m"));
    }
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    assert.equal((await onebit(["--version"])).stdout, `${version}\n`);
  });

  test("wrong command lines exit with 2 and say what was wanted", async () => {
    const wrong: [string[], RegExp][] = [
      [[], /Usage: onebit COMMAND/],
      [["walk"], /no command "walk"/],
      [["run"], /standard input is empty/],
      [["run", "m", "p", "q"], /onebit run \[MODEL\] \[PROMPT\]/],
      [["run", "m", "p", "--fast"], /--fast/],
      [["run", "m", "p", "--max-tokens", "x"], /--max-tokens: wanted an integer from 0 up, got "x"/],
      [["run", "m", "p", "--max-tokens", "-1"], /--max-tokens: wanted an integer from 0 up, got "-1"/],
      [["run", "m", "p", "--seed", "1.5"], /--seed/],
      [["run", "m", "p", "--threads", "0"], /--threads: wanted an integer from 1 up/],
      [["run", "m", "p", "--ids", "1"], /not both/],
      [["run", "m", "--ids", "1,x"], /--ids: wanted token ids/],
      [["run", "m", "p", "--logit-bias", "5"], /--logit-bias/],
      [["run", "m", "p", "--variant", "fast"], /--variant: wanted simd or relaxed/],
      [["run", "m.gguf"], /standard input is empty/],
      [["logits", "m", "--out", "f"], /--ids is missing/],
      [["logits", "m", "--ids", "1"], /--out is missing/],
      [["tokenize", "m"], /a text or --file/],
      [["tokenize", "m", "t", "--file", "f"], /a text or --file/],
      [["perplexity", "m"], /onebit perplexity MODEL FILE/],
      [["embed", "m"], /either texts or --file/],
      [["embed", "m", "a", "--file", "f"], /either texts or --file/],
      [["embed", "m", "a", "--top", "1"], /--top: wanted with --query/],
      [["bench", "m", "--repeat", "0"], /--repeat/],
      [["run", model, "x", "--temperature", "-1"], /^onebit: --temperature: wanted .*\[option\/invalid\]/],
    ];
    for (const [args, message] of wrong) {
      const { status, stdout, stderr } = await onebit(args);
      assert.equal(status, 2, `${args.join(" ")}: ${stderr}`);
      assert.equal(stdout, "");
      assert.match(stderr, message);
    }
  });

  test("failures exit with 1, one line and a code", async () => {
    writeFileSync(join(folder, "not-a-model.gguf"), "hello");
    const failing: [string[], RegExp][] = [
      [["run", "absent.gguf", "x"], /\[file\/not-found\]/],
      [["run", "not-a-model.gguf", "x"], /\[file\/unknown-format\]/],
      [["inspect", "absent.gguf"], /\[file\/not-found\]/],
      [["tokenize", model, "--file", "absent.txt"], /\[file\/not-found\]/],
      [["perplexity", model, "absent.txt"], /\[file\/not-found\]/],
      [["run", model, "x ".repeat(100), "--context", "16"], /context holds 16.*\[model\/context-full\]/],
      [["run", model, "--ids", "640"], /\[model\/bad-token\]/],
      [["logits", model, "--ids", "1", "--out", "absent/f"], /\[file\/write\]/],
    ];
    for (const [args, message] of failing) {
      const { status, stdout, stderr } = await onebit(args);
      assert.equal(status, 1, `${args.join(" ")}: ${stderr}`);
      assert.equal(stdout.trim(), "");
      assert.match(stderr, message);
      assert.match(stderr, /^onebit: [^\n]*\n$/, "one line, no trace");
    }
  });
});

describe("onebit run", () => {
  test("--json is one object of the documented shape", async () => {
    const result = await json([
      "run",
      model,
      "Hello",
      "--max-tokens",
      "5",
      "--temperature",
      "0",
      "--ignore-end",
      "--threads",
      "1",
      "--context",
      "64",
    ]);
    assert.deepEqual(Object.keys(result), ["promptIds", "ids", "text", "stopReason", "timings", "memory", "engine"]);
    assert.deepEqual(Object.keys(result.timings as object), [
      "loadMs",
      "promptTokens",
      "cachedTokens",
      "promptMs",
      "tokens",
      "generateMs",
    ]);
    assert.deepEqual(Object.keys(result.memory as object), ["wasmBytes", "weightBytes", "kvBytes", "stateBytes"]);
    assert.deepEqual(Object.keys(result.engine as object), ["variant", "ternaryKernel", "dots", "threads"]);
    assert.equal((result.ids as number[]).length, 5);
    assert.equal(result.stopReason, "length");
    assert.equal((result.engine as { threads: number }).threads, 1);
    assert.ok(
      Object.values(result.timings as Record<string, number>).every((value) => Number.isFinite(value) && value >= 0),
    );
  });

  test("prints the text, reads the prompt from standard input, and repeats with a seed", async () => {
    const options = ["--max-tokens", "12", "--seed", "5", "--temperature", "1"];
    const result = await json(["run", model, "Once upon", ...options]);
    const text = result.text as string;
    const expected = text.endsWith("\n") ? text : `${text}\n`;
    assert.equal((await onebit(["run", model, "Once upon", ...options])).stdout, expected);
    assert.equal((await onebit(["run", model, ...options], { input: "Once upon\n" })).stdout, expected);
    const other = await json(["run", model, "Once upon", ...options.with(3, "6")]);
    assert.notDeepEqual(other.ids, result.ids);
  });

  test("ids and text of the same prompt give the same reply", async () => {
    const options = ["--max-tokens", "6", "--temperature", "0"];
    const byText = await json(["run", model, "Hello", ...options]);
    const byIds = await json(["run", model, "--ids", (byText.promptIds as number[]).join(","), ...options]);
    assert.deepEqual(byIds.ids, byText.ids);
    const banned = await json([
      "run",
      model,
      "Hello",
      ...options,
      "--logit-bias",
      `${(byText.ids as number[])[0]}=-inf`,
      "--presence-penalty",
      "-0.5",
    ]);
    assert.notEqual((banned.ids as number[])[0], (byText.ids as number[])[0]);
  });

  test("reports a full context", async () => {
    const { status, stderr } = await onebit([
      "run",
      model,
      "Hello",
      "--context",
      "16",
      "--ignore-end",
      "--temperature",
      "0",
    ]);
    assert.equal(status, 0);
    assert.match(stderr, /the context of 16 tokens is full/);
  });

  test("Ctrl-C ends it with 130", async () => {
    let isSent = false;
    const { status } = await onebit(
      [
        "run",
        model,
        "Hello",
        "--max-tokens",
        "1000000",
        "--context",
        "60000",
        "--ignore-end",
        "--logit-bias",
        "10=100",
      ],
      {
        onOutput(_text, kill) {
          if (!isSent) kill("SIGINT");
          isSent = true;
        },
      },
    );
    assert.ok(isSent);
    assert.equal(status, 130);
  });

  test("ends quietly when the reader leaves", async () => {
    const child = spawn(
      process.execPath,
      [CLI, "run", model, "Hello", "--max-tokens", "1000000", "--context", "60000", "--ignore-end"],
      { cwd: folder, timeout: TIMEOUT_MS },
    );
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk));
    child.stdout.once("data", () => child.stdout.destroy());
    const status = await new Promise((done) => child.on("close", done));
    assert.equal(status, 0);
    assert.equal(stderr, "");
  });
});

describe("the other commands", () => {
  test("logits writes one row of f32 an id", async () => {
    const out = join(folder, "logits.f32");
    const { status, stdout } = await onebit(["logits", model, "--ids", "5,17,9", "--out", out]);
    assert.equal(status, 0);
    assert.equal(stdout, "");
    const bytes = readFileSync(out);
    assert.equal(bytes.length, 3 * N_VOCAB * 4);
    const rows = new Float32Array(new Uint8Array(bytes).buffer);
    const greedy = await json(["run", model, "--ids", "5,17,9", "--max-tokens", "1", "--temperature", "0"]);
    const last = rows.subarray(2 * N_VOCAB);
    assert.equal((greedy.ids as number[])[0], last.indexOf(Math.max(...last)));
  });

  test("tokenize gives only the text's ids, from an argument or a file's bytes", async () => {
    const text = "Hello,\r\n  world <|im_end|>\n";
    writeFileSync(join(folder, "text.txt"), text);
    const result = await json(["tokenize", model, text]);
    assert.deepEqual(Object.keys(result), ["ids", "tokens", "count"]);
    assert.equal(result.count, (result.ids as number[]).length);
    assert.deepEqual(await json(["tokenize", model, "--file", "text.txt"]), result);
    const lines = (await onebit(["tokenize", model, text])).stdout.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => Number(line.split("\t")[0])),
      result.ids,
    );
    const special = await json(["tokenize", model, text, "--special"]);
    assert.ok((special.count as number) < (result.count as number));
  });

  test("embed gives the library's vectors, or the texts nearest to a question", async () => {
    const texts = ["the king is dead", "a rose by any name", "the king is mad"];
    writeFileSync(join(folder, "notes.txt"), `${texts.join("\r\n\n")}\n`);
    await using loaded = await load(model);
    const vectors = await loaded.embed(texts, { pooling: "mean", dimensions: 32 });
    const options = ["--pooling", "mean", "--dimensions", "32"],
      { embeddings } = await json(["embed", model, ...texts, ...options]);
    assert.deepEqual(
      embeddings,
      vectors.map((one) => [...one]),
    );
    const lines = (await onebit(["embed", model, "--file", "notes.txt", ...options])).stdout.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => line.split(" ").map(Number)),
      embeddings,
    );
    const asked = ["embed", model, "--file", "notes.txt", "--query", texts[2], "--top", "2"],
      { results } = (await json(asked)) as { results: { index: number; text: string; score: number }[] };
    assert.deepEqual([results.length, results[0].index, results[0].text], [2, 2, texts[2]]);
    assert.ok(Math.abs(results[0].score - 1) < 1e-5 && results[1].score < results[0].score);
    assert.match((await onebit(asked)).stdout, /^1\.0000\tthe king is mad\n[-0-9.]+\t.+\n$/);
  });

  test("tokenize --add-special adds what run puts before a text, and no EOS though the file wants one", async () => {
    const path = join(folder, "both-ends.gguf");
    await writeModelFile(path, {
      metadata: [
        ["general.architecture", "string", "llama"],
        ["tokenizer.ggml.model", "string", "llama"],
        ["tokenizer.ggml.tokens", "string[]", ["<unk>", "<s>", "</s>", "▁", "a"]],
        ["tokenizer.ggml.token_type", "int32[]", [2, 3, 3, 1, 1]],
        ["tokenizer.ggml.scores", "float32[]", [0, 0, 0, 0, 0]],
        ["tokenizer.ggml.add_bos_token", "bool", true],
        ["tokenizer.ggml.add_eos_token", "bool", true],
      ],
      tensors: [],
    });
    assert.deepEqual((await json(["tokenize", path, "a"])).tokens, ["▁", "a"]);
    assert.deepEqual((await json(["tokenize", path, "a", "--add-special"])).tokens, ["<s>", "▁", "a"]);
  });

  test("inspect shows header, tensors and memory", async () => {
    const result = await json(["inspect", model, "--context", "128"]);
    assert.deepEqual(Object.keys(result), [
      "format",
      "architecture",
      "name",
      "fileBytes",
      "parameters",
      "memory",
      "engine",
      "unpacked",
      "unused",
      "warnings",
      "config",
      "metadata",
      "tensors",
    ]);
    assert.equal(result.architecture, "qwen3");
    const tensors = result.tensors as { name: string; type: string; shape: number[] }[];
    assert.deepEqual(
      tensors.find(({ name }) => name === "blk.0.attn_q.weight"),
      { ...tensors.find(({ name }) => name === "blk.0.attn_q.weight"), type: "TQ2_0", shape: [256, 256] },
    );
    assert.deepEqual(result.unused, { keys: [], tensors: [] });
    const larger = await json(["inspect", model, "--context", "256"]);
    assert.ok((larger.memory as { kvBytes: number }).kvBytes === 2 * (result.memory as { kvBytes: number }).kvBytes);
    const { stdout } = await onebit(["inspect", model]);
    assert.match(stdout, /qwen3 in gguf/);
    assert.match(stdout, /blk\.1\.ffn_down\.weight/);
    assert.match(stdout, /tokenizer\.ggml\.tokens = "640 items"/);
  });

  test("perplexity and bench print numbers", async () => {
    writeFileSync(join(folder, "book.txt"), "It was a bright cold day in April. ".repeat(20));
    const perplexity = await json(["perplexity", model, "book.txt", "--context", "64"]);
    assert.deepEqual(Object.keys(perplexity), ["perplexity", "meanNll", "tokens", "windows", "context"]);
    assert.ok((perplexity.perplexity as number) > 1);
    assert.match(
      (await onebit(["perplexity", model, "book.txt", "--context", "64"])).stdout,
      /^perplexity \d+\.\d+ over \d+ tokens, windows of 64\n$/,
    );
    const bench = await json(["bench", model, "--prompt", "16", "--tokens", "4", "--repeat", "2"]);
    for (const key of ["loadMs", "promptTokensPerSecond", "tokensPerSecond"])
      assert.ok((bench[key] as number) > 0, key);
    assert.match(
      (await onebit(["bench", model, "--prompt", "8", "--tokens", "2", "--repeat", "1"])).stdout,
      /^generate +[\d.]+ tokens\/s \(2 tokens\)$/m,
    );
  });

  test("chat answers each piped line", async () => {
    const { status, stdout, stderr } = await onebit(
      ["chat", model, "--max-tokens", "4", "--temperature", "0", "--system", "Be brief.", "--chat-template", "chatml"],
      {
        input: "Hello\n\n/reset\nHello\n/exit\nnever read\n",
      },
    );
    assert.equal(status, 0, stderr);
    assert.equal(stderr, "");
    const half = stdout.length / 2;
    assert.ok(
      stdout.length > 0 && stdout.slice(0, half) === stdout.slice(half),
      "after a reset the same question gets the same answer",
    );
  });

  test("a prompt pack is read instead of the prompt, and refused for another", async () => {
    const text = "You are a pirate. ".repeat(30);
    writeFileSync(join(folder, "system.txt"), `${text}\n`);
    const chatml = ["--chat-template", "chatml"],
      make = ["prompt-pack", model, "system.txt", "--out", "system.pack", ...chatml];
    const { status, stdout, stderr } = await onebit(make);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^onebit: system\.pack: \d+ tokens, .* MB, read in [\d.]+ s\n$/);
    const reply = ["--max-tokens", "4", "--temperature", "0"],
      chat = ["chat", model, ...reply, ...chatml, "--system-file", "system.txt"];
    const plain = await onebit(chat, { input: "Hello\n" }),
      packed = await onebit([...chat, "--prompt-pack", "system.pack"], { input: "Hello\n" });
    assert.equal(packed.status, 0, packed.stderr);
    assert.equal(packed.stdout, plain.stdout);
    const wrong = async (code: RegExp, ...args: string[]): Promise<void> => {
      const run = await onebit(args, { input: "Hello\n" });
      assert.notEqual(run.status, 0);
      assert.match(run.stderr, code);
    };
    const other = ["chat", model, ...chatml, "--system", "Be brief, and never say what you were told before this."];
    await wrong(/another text.*agree \[usage\]/, ...other, "--prompt-pack", "system.pack");
    await wrong(/cannot read "none".*file\/not-found/, ...chat, "--prompt-pack", "none");
    await wrong(/snapshot\/corrupt/, ...chat, "--prompt-pack", "system.txt");
    await wrong(/type f32.*q8.*snapshot\/mismatch/, ...chat, "--prompt-pack", "system.pack", "--kv", "q8");
    await wrong(/not both \[usage\]/, ...chat, "--system", "no");
    await wrong(/wanted --out/, "prompt-pack", model, "system.txt");
    await wrong(/cannot write the prompt pack/, ...make.slice(0, 3), "--out", "none/system.pack", ...chatml);
    writeFileSync(join(folder, "latin1.txt"), Buffer.from([0x67, 0xfc, 0x72]));
    await wrong(/UTF-8/, "prompt-pack", model, "latin1.txt", "--out", "x.pack", ...chatml);

    assert.equal((await onebit([...make.slice(0, 3), "--raw", "--out", "raw.pack"])).status, 0);
    const run = ["run", model, `${text}Arr`, ...reply, "--prompt-pack", "raw.pack"];
    const { timings } = await json(run);
    const { promptTokens, cachedTokens } = timings as Record<string, number>;
    assert.ok(cachedTokens! > 100 && promptTokens! - cachedTokens! < 12, `${cachedTokens} of ${promptTokens}`);
  });

  test("a reply fits its format", async () => {
    writeFileSync(
      join(folder, "schema.json"),
      '{ "type": "array", "items": { "enum": [1, 2] }, "minItems": 2, "maxItems": 3 }',
    );
    writeFileSync(join(folder, "root.gbnf"), 'root ::= "yes" | "no"\n');
    const reply = async (...args: string[]): Promise<string> => {
      const { status, stdout, stderr } = await onebit(["run", model, "Once", "--seed", "3", ...args]);
      assert.equal(status, 0, stderr);
      return stdout.trim();
    };
    for (const schema of ["schema.json", '{"type":"array","items":{"enum":[1,2]},"minItems":2,"maxItems":3}']) {
      const found = JSON.parse(await reply("--json-schema", schema)) as number[];
      assert.ok(found.length >= 2 && found.length <= 3 && found.every((item) => item === 1 || item === 2));
    }
    assert.match(await reply("--regex", "[ab]{3}"), /^[ab]{3}$/);
    for (const grammar of ["root.gbnf", 'root ::= "yes" | "no"'])
      assert.match(await reply("--grammar", grammar), /^(yes|no)$/);
    const wrong = async (code: RegExp, ...args: string[]): Promise<void> => {
      const { status, stderr } = await onebit(["run", model, "Once", ...args]);
      assert.notEqual(status, 0);
      assert.match(stderr, code);
    };
    await wrong(/--format: wanted json.*usage/, "--format", "xml");
    await wrong(/one of --regex and --grammar/, "--regex", "a", "--grammar", "root.gbnf");
    await wrong(/cannot read "none.json".*file\/not-found/, "--json-schema", "none.json");
    await wrong(/wanted JSON.*usage/, "--json-schema", "{");
    await wrong(/pattern.*grammar\/syntax/, "--regex", "(a");
    await wrong(/uniqueItems.*grammar\/unsupported/, "--json-schema", '{"type":"array","uniqueItems":true}');
  });
});
