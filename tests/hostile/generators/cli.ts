/**
 * Odd command lines, run in this process: options that are misspelt, doubled, without a value or with one that is none,
 * in any order. The program ends with a documented exit code, never by what it threw, and what it shows drives no
 * terminal.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import type { Random } from "../../synthetic/random.ts";
import { COMMANDS, runCli } from "../../../src/cli/cli.ts";
import type { Library } from "../../../src/cli/command.ts";
import { OnebitError } from "../../../src/core/errors.ts";
import type { HostileGenerator } from "./generator.ts";

const VALUES: readonly string[] = [
  "",
  " ",
  "0",
  "-1",
  "1",
  "1.5",
  "10k",
  "0x10",
  "1e3",
  "1e999",
  "NaN",
  "Infinity",
  "-inf",
  "9007199254740993",
  "x",
  "--",
  "-",
  "-x",
  "--json",
  "a,b",
  "1,2",
  "1=2",
  "5=-inf",
  "\\n",
  "\\",
  "\\u12",
  "\u001b]0;x\u0007",
  "\u009b2J",
  "\u202e",
  "\ud800",
  "\0",
  "x".repeat(10_000),
  "no/such.gguf",
  "owner/repo",
  "hf:",
  "hf.co/a/b:Q1_0",
  "https://hf.co/a",
  "file://",
  "../..",
  "chatml",
  "{{",
  "x.onnx",
];
/** Of these commands those that do nothing but call the library; `train` and `web` would write files and listen. */
const TRIED = COMMANDS.filter(({ name }) => !["train", "web", "perplexity", "tokenize", "logits"].includes(name));
const FORBIDDEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;
/** Fine, failed, wrong command line. */
const EXIT_CODES = [0, 1, 2];

const pick = <T>(random: Random, list: readonly T[]): T => list[random.u32() % list.length];

function oddLine(random: Random): string[] {
  const command = pick(random, TRIED),
    names = [...Object.keys(command.optionTypes), "help"],
    args: string[] = [];
  for (let i = random.u32() % 6; i >= 0; i--) {
    const name = pick(random, names),
      spelt = random.u32() % 4 === 0 ? `${name.slice(0, -1)}${pick(random, ["", "s", "_", "\u001b"])}` : name;
    args.push(
      pick(random, [
        `--${spelt}`,
        `--${spelt}=${pick(random, VALUES)}`,
        pick(random, VALUES),
        `-${spelt.slice(0, 1)}`,
        `--${spelt.replace(/-/g, "_")}`,
      ]),
    );
    if (random.u32() % 2 === 0) args.push(pick(random, VALUES));
  }
  const first =
    random.u32() % 8 === 0
      ? pick(random, [`${command.name}x`, command.name.slice(1), "serve", "", "\u001b", ...VALUES])
      : command.name;
  return [first, ...args];
}

/** Stands for the library: no call of it succeeds, so no model need be there. */
const library = new Proxy(
  {},
  { get: () => async () => Promise.reject(new OnebitError("file/not-found", "no such file \u001b[31m")) },
) as Library;

export const generator: HostileGenerator = {
  name: "cli",
  weight: 1,
  async tryOne(random) {
    const args = oddLine(random);
    let shown = "";
    const show = (text: string): void => void (shown += text);
    const terminal = {
      stdin: Readable.from([]),
      stdinIsTty: false,
      stdoutIsTty: true,
      stderrIsTty: true,
      out: async (text: string) => show(text),
      err: show,
      onInterrupt: () => () => {},
      onTerminate: () => () => {},
    };
    const status = await runCli(args, terminal, library, "1");
    assert.ok(EXIT_CODES.includes(status), `${JSON.stringify(args)} ended with ${status}`);
    // The line about progress is the program's own: it begins with these.
    const others = shown.replaceAll("\r\x1b[K", "");
    assert.doesNotMatch(others, FORBIDDEN, JSON.stringify(args));
    assert.doesNotMatch(others, /^\s+at .*:\d+:\d+/m, `${JSON.stringify(args)} showed a trace: ${others}`);
    return {
      outcome: /\[(usage|[a-z]+\/[a-z-]+)\]\n/.exec(others)?.[1] ?? `exit ${status}`,
      inputBytes: JSON.stringify(args).length,
    };
  },
};
