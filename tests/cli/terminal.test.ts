/** What the command line shows a person and hides from a program: progress, speeds, broken invariants. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { runCli } from "../../src/cli/cli.ts";
import type { Library } from "../../src/cli/command.ts";
import { formatBytes, formatJson, formatRate } from "../../src/cli/format.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { Model } from "../../src/model.ts";
import { bytesOf, fakeTokenizer, scriptedEngine } from "../generate/fakes.ts";

const MB = 1_000_000;

async function run(
  args: readonly string[],
  isTty: boolean,
  fails = false,
): Promise<{ status: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const terminal: Terminal = {
    stdin: Readable.from([]),
    stdinIsTty: isTty,
    stdoutIsTty: isTty,
    stderrIsTty: isTty,
    out: async (text) => void (out += text),
    err: (text) => void (err += text),
    onInterrupt: () => () => {},
    onTerminate: () => () => {},
  };
  const unused = (): never => assert.fail("not for run");
  const library: Library = {
    async load(_source, options) {
      if (fails) throw new TypeError("a mistake of ours");
      options?.onProgress?.({ loadedBytes: 0, totalBytes: 4 * MB });
      await new Promise((resolve) => setTimeout(resolve, 60));
      options?.onProgress?.({ loadedBytes: 2 * MB, totalBytes: 4 * MB });
      return new Model({ engine: scriptedEngine(3, [...bytesOf("ok\n"), 257]), tokenizer: fakeTokenizer(), loadMs: 1 });
    },
    inspect: unused,
    loadTokenizer: unused,
    pull: unused,
    list: unused,
    remove: unused,
  };
  const status = await runCli(args, terminal, library, "1.2.3");
  return { status, out, err };
}

describe("a person at the terminal", () => {
  test("sees a progress bar that disappears, and the speeds", async () => {
    const { status, out, err } = await run(["run", "model", "Hi", "--temperature", "0"], true);
    assert.equal(status, 0);
    assert.equal(out, "ok\n");
    assert.match(err, /loading ░{30} 0 % of 4\.0 MB/);
    assert.match(err, /loading █{15}░{15} 50 % of 4\.0 MB\r\x1b\[K/);
    assert.match(err, /prompt 3 tokens, [\d.]+ tokens\/s; reply 4 tokens, [\d.]+ tokens\/s\n$/);
  });

  test("sees what --speculate gained", async () => {
    const { out, err } = await run(["run", "model", "Hi", "--temperature", "0", "--speculate", "lookup"], true);
    assert.equal(out, "ok\n");
    assert.match(err, /reply 4 tokens, [\d.]+ tokens\/s; drafted \d+ tokens in \d+ walks, \d+ accepted\n$/);
  });

  test("names the model that continues when none was given", async () => {
    for (const args of [["run", "Hi there"], ["Hi there"]])
      assert.match((await run(args, true)).err, /the bundled model continues/);
    assert.doesNotMatch((await run(["run", "model", "Hi there"], true)).err, /in the package/);
  });

  test("is asked for a prompt when there is none", async () => {
    const { status, err } = await run(["run", "model.gguf"], true);
    assert.equal(status, 2);
    assert.match(err, /wanted a prompt/);
    assert.match(err, /See: onebit run --help/);
  });
});

test("a program at the other end gets the text and nothing else", async () => {
  assert.deepEqual(await run(["run", "model", "Hi", "--temperature", "0"], false), { status: 0, out: "ok\n", err: "" });
});

test("a bug of ours exits with 1 and shows its trace", async () => {
  const { status, err } = await run(["run", "model", "Hi"], false, true);
  assert.equal(status, 1);
  assert.match(err, /^onebit: TypeError: a mistake of ours\n +at /);
});

test("formats numbers for people, values for programs", () => {
  assert.deepEqual([0, 999, 1000, 1_536_000, 999_499, 999_500, 811_000_000, 4e9, 3e12, 5e15].map(formatBytes), [
    "0 B",
    "999 B",
    "1.0 kB",
    "1.5 MB",
    "999 kB",
    "1.0 MB",
    "811 MB",
    "4.0 GB",
    "3.0 TB",
    "5000 TB",
  ]);
  assert.equal(formatRate(10, 2000), "5.0 tokens/s");
  assert.equal(formatRate(10, 0), "0.0 tokens/s");
  assert.equal(formatJson({ a: 5n, b: 1n << 63n }), '{\n  "a": 5,\n  "b": "9223372036854775808"\n}\n');
});
