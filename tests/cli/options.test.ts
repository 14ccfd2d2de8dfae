/**
 * Options of the command line: what is meant is taken or told, and what is wrong is refused before a model is loaded.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, describe, test } from "node:test";
import { runCli } from "../../src/cli/cli.ts";
import type { Library } from "../../src/cli/command.ts";
import { plainText } from "../../src/cli/screen.ts";
import { renderChat } from "../../src/generate/chat.ts";
import { Model } from "../../src/model.ts";
import { bytesOf, fakeTokenizer, scriptedEngine } from "../generate/fakes.ts";

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  readonly loads: number;
}

async function onebit(
  args: readonly string[],
  { reply = "ok\n", isTty = false, template = "{{ messages }}" } = {},
): Promise<Ran> {
  let out = "",
    err = "",
    loads = 0;
  const library = {
    async load() {
      loads++;
      return new Model({
        engine: scriptedEngine(3, [...bytesOf(reply), 257]),
        tokenizer: fakeTokenizer({ chatTemplate: template }),
        renderChat,
        loadMs: 1,
      });
    },
  } as unknown as Library;
  const terminal = {
    stdin: Readable.from([]),
    stdinIsTty: false,
    stdoutIsTty: isTty,
    stderrIsTty: false,
    out: async (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    onInterrupt: () => () => {},
    onTerminate: () => () => {},
  };
  const status = await runCli(args, terminal, library, "1.2.3");
  return { status, out, err, loads };
}

const folder = mkdtempSync(join(tmpdir(), "onebit-options-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const RUN = ["run", "model.gguf", "Hi"];

describe("refused with 2, without loading", () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[...RUN, "--max-token", "5"], /run: no option --max-token: did you mean --max-tokens\?/],
    [[...RUN, "--temprature", "1"], /did you mean --temperature\?/],
    [[...RUN, "--max_tokens", "5"], /did you mean --max-tokens\?/],
    [[...RUN, "-x"], /run: no option -x/],
    [[...RUN, "-m", "x"], /the model is the first argument/],
    [[...RUN, "--max-tokens"], /--max-tokens: wanted a value/],
    [[...RUN, "--max-tokens", "--json"], /--max-tokens: wanted a value, found "--json"/],
    [[...RUN, "--seed", "1", "--seed", "2"], /--seed: given twice, wanted once/],
    [[...RUN, "--json=yes"], /--json: takes no value, got "yes"/],
    ...["10k", "0x10", "1e3", "", " ", "1_000", "١", "5.0", "NaN", "Infinity", "--", "-1"].map(
      (value) => [[...RUN, `--max-tokens=${value}`], /--max-tokens: wanted an integer from 0 up, got/] as const,
    ),
    ...["hot", "0x1", "", "1,5", "Infinity", "1e999", "NaN", "1f"].map(
      (value) => [[...RUN, `--temperature=${value}`], /--temperature: wanted a number, got/] as const,
    ),
    [[...RUN, "--stop", "\\q"], /--stop: unknown escape "\\\\q"/],
    [[...RUN, "--speculate", "draft"], /--speculate: wanted off or lookup, got "draft"/],
    [[...RUN, "--ids", "1,x"], /--ids: wanted token ids/],
    [["server"], /onebit serve/],
    [["rnu", "model.gguf"], /did you mean "run"\?/],
    [["run", "hf.co/owner/repo:Q1_0", "Hi"], /hf:owner\/repo\/FILE\.gguf/],
    [
      ["train", "book.txt", "--out", "x", "--export", "x.onnx"],
      /--export: wanted a file that ends in \.gguf, got "x\.onnx"/,
    ],
    [["train", "book.txt", "--out", "x", "--export", "x.safetensors"], /--safetensors FOLDER/],
    [["train", "book.txt", "--out", "x", "--dim", "60"], /--head-dim: wanted/],
    [["logits", "model.gguf", "--ids", "1", "--out", "x.npy"], /--out: the file is raw f32/],
    [["web", "--out", "x.pdf"], /--out: the page is HTML/],
  ];
  for (const [args, message] of cases) {
    test(args.join(" "), async () => {
      const { status, err, out, loads } = await onebit(args);
      assert.match(err, message);
      assert.deepEqual([status, out, loads], [2, "", 0]);
    });
  }
});

describe("accepted as meant", () => {
  test("names of llama.cpp and Ollama", async () => {
    const { status, out, err } = await onebit([
      ...RUN,
      "--temp",
      "0",
      "-n",
      "1",
      "-s",
      "3",
      "-c",
      "100",
      "-t",
      "1",
      "--repeat-penalty",
      "1",
      "--json",
    ]);
    assert.equal(status, 0, err);
    assert.deepEqual((JSON.parse(out) as { ids: number[] }).ids.length, 1);
  });

  test("--speculate, whose figures JSON has too", async () => {
    const { status, out, err } = await onebit([...RUN, "--speculate", "lookup", "--json"]);
    assert.equal(status, 0, err);
    const { timings } = JSON.parse(out) as { timings: { speculation: Record<string, number> } };
    assert.deepEqual(Object.keys(timings.speculation), ["walks", "draftedTokens", "acceptedTokens"]);
  });

  test("escapes in --stop", async () => {
    const text = async (stop: string): Promise<string> =>
      (await onebit([...RUN, "--temperature", "0", "--stop", stop], { reply: "a\\b\tc\nd" })).out.trimEnd();
    assert.equal(await text("\\n"), "a\\b\tc");
    assert.equal(await text("\\t"), "a\\b");
    assert.equal(await text("\\\\"), "a");
    assert.equal(await text("\\u0062"), "a\\");
  });

  test("everything after -- is an argument, and so is a text that looks like an option", async () => {
    for (const args of [
      ["run", "--temperature", "0", "--", "model.gguf", "--seed"],
      ["run", "model.gguf", "- a list", "--temperature", "0"],
      ["run", "model.gguf", "-5 degrees", "--temperature", "0"],
    ])
      assert.equal((await onebit(args)).status, 0);
  });

  test("a chat template from a file", async () => {
    const path = join(folder, "template.jinja"),
      plain = join(folder, "plain.txt");
    writeFileSync(path, "{{ nonsense.of.this.file }}");
    writeFileSync(plain, "no tag");
    assert.match((await onebit(["chat", "model.gguf", "--chat-template", path])).err, /template/);
    assert.match(
      (await onebit(["chat", "model.gguf", "--chat-template", plain])).err,
      /--chat-template: .* has no \{\{/,
    );
    const { status, err } = await onebit(["chat", "model.gguf", "--chat-template", "chatmll"]);
    assert.equal(status, 2, err);
    assert.match(err, /--chat-template: .*did you mean chatml\?/);
  });
});

test("the library's refusals use the command line's option names, with 2", async () => {
  for (const [flag, value] of [
    ["--temperature", "200"],
    ["--top-p", "0"],
    ["--repetition-penalty", "0"],
    ["--penalty-last-n", "-1.5"],
  ]) {
    const { status, err } = await onebit([...RUN, flag, value]);
    assert.equal(status, 2, err);
    assert.ok(err.startsWith(`onebit: ${flag}: wanted `), err);
  }
});

describe("output cannot control a terminal", () => {
  const EVIL = "a\x1b]0;owned\x07b\x9b31mc\u202ed\re\bf\tg\nh";
  const FORBIDDEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

  test("newlines and tabs stay; a sequence cut in two is harmless", () => {
    assert.doesNotMatch(plainText(EVIL), FORBIDDEN);
    assert.match(plainText(EVIL), /f\tg\nh$/);
    for (let cut = 0; cut <= EVIL.length; cut++)
      assert.equal(plainText(EVIL.slice(0, cut)) + plainText(EVIL.slice(cut)), plainText(EVIL));
  });

  test("a model's text is plain on a terminal, unchanged for a program", async () => {
    const shown = await onebit([...RUN, "--temperature", "0"], { reply: EVIL, isTty: true });
    assert.doesNotMatch(shown.out, FORBIDDEN);
    assert.match(shown.out, /^a\ufffd\]0;owned\ufffdb/);
    assert.equal((await onebit([...RUN, "--temperature", "0"], { reply: EVIL })).out.trimEnd(), EVIL);
  });

  test("JSON is escaped everywhere, and the same value", async () => {
    for (const isTty of [true, false]) {
      const { out } = await onebit([...RUN, "--temperature", "0", "--json"], { reply: EVIL, isTty });
      assert.doesNotMatch(out, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
      assert.equal((JSON.parse(out) as { text: string }).text, EVIL);
    }
  });

  test("arguments in errors", async () => {
    for (const args of [
      ["run", `${EVIL}/x.gguf`, "Hi", `--${EVIL}`],
      ["logits", `/${EVIL}`],
      ["tokenize", `${EVIL}.gguf`],
      ["run", "m.gguf", "--kv", EVIL],
    ]) {
      const { err } = await onebit(args);
      assert.notEqual(err, "");
      assert.doesNotMatch(err, FORBIDDEN);
    }
  });
});
