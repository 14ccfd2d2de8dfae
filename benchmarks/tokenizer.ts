/**
 * How encoding time grows with the text: for every kind of input, milliseconds of processor time from 1 kB to 10 MB and
 * the exponent of the power law fitted to them (1 is linear). Hostile inputs are one piece without a break.
 *
 *   node benchmarks/run.mjs tokenizer FILE.gguf... [--text FILE] [--json]
 *
 * Repeats short texts for at least 200 ms, since processor time is in milliseconds.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { bytesSource } from "../src/core/byte-source.ts";
import { readGguf } from "../src/files/gguf.ts";
import { type Tokenizer, tokenizerFromGguf } from "../src/tokenizer/tokenizer.ts";

const SIZES = [1e3, 1e4, 1e5, 1e6, 1e7];
const REPEAT_MS = 200;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { text: { type: "string" }, json: { type: "boolean", default: false } },
});

let state = 1;
const random = (below: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const repeated = (unit: string) => (bytes: number) => unit.repeat(bytes / new TextEncoder().encode(unit).length);
const drawn = (first: number, count: number, unitBytes: number) => (bytes: number) =>
  Array.from({ length: bytes / unitBytes }, () => String.fromCharCode(first + random(count))).join("");

const INPUTS: Record<string, (bytes: number) => string> = {
  "one letter": repeated("a"),
  blanks: repeated(" "),
  newlines: repeated("\n"),
  "blanks and newlines": repeated(" \n"),
  quotes: repeated("'"),
  digits: repeated("7"),
  emoji: repeated("😀"),
  "names of control tokens": repeated("<|eot_id|>"),
  "random letters": drawn(0x61, 26, 1),
  "random Han": drawn(0x4e00, 0x5000, 3),
};
if (values.text !== undefined) {
  const text = readFileSync(values.text, "utf8");
  INPUTS[basename(values.text)] = (bytes) => text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes);
}

function encodeMs(tokenizer: Tokenizer, text: string): number {
  const start = process.cpuUsage();
  let runs = 0;
  let spent = 0;
  while (spent < REPEAT_MS) {
    tokenizer.encode(text, { addSpecial: false });
    runs += 1;
    spent = process.cpuUsage(start).user / 1000;
  }
  return spent / runs;
}

/** The slope of log time over log size, by least squares. */
function growth(times: readonly number[]): number {
  const xs = SIZES.map(Math.log);
  const ys = times.map(Math.log);
  const mean = (all: readonly number[]): number => all.reduce((sum, value) => sum + value, 0) / all.length;
  const [mx, my] = [mean(xs), mean(ys)];
  const covariance = mean(xs.map((x, i) => (x - mx) * (ys[i] - my)));
  return covariance / mean(xs.map((x) => (x - mx) ** 2));
}

const rows: { file: string; input: string; times: number[]; exponent: number }[] = [];
for (const path of positionals) {
  const { metadata } = await readGguf(bytesSource(new Uint8Array(readFileSync(path)), path));
  const tokenizer = tokenizerFromGguf(metadata);
  for (const [input, make] of Object.entries(INPUTS)) {
    const times = SIZES.map((bytes) => encodeMs(tokenizer, make(bytes)));
    rows.push({ file: basename(path), input, times, exponent: growth(times) });
    const row = rows[rows.length - 1];
    if (!values.json) {
      const shown = times.map((ms) => ms.toPrecision(3).padStart(8)).join(" ");
      process.stdout.write(
        `${row.file.padEnd(16)} ${input.padEnd(24)} ${shown} ms  exponent ${row.exponent.toFixed(3)}\n`,
      );
    }
  }
}
if (values.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
