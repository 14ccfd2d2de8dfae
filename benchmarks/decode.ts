/**
 * Speed of whole models, onebit beside llama.cpp (node-llama-cpp, native code) on the same files: tokens a second to
 * read a prompt and to write.
 *
 *   node benchmarks/run.mjs decode FILE... [--threads 1,2] [--prompt 64] [--tokens 48] [--rounds 5] [--json]
 *       [--node PATH]   another Node runs onebit
 *
 * Engines take turns, each in a process of its own, so that a busy moment of the machine meets both; medians over the
 * rounds. Ratios are medians of the rounds' ratios.
 */
import { execFileSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { peerInstalled } from "../tests/conformance/peer.ts";

interface Speed {
  readonly loadMs: number;
  readonly promptTokensPerSecond: number;
  readonly tokensPerSecond: number;
}

interface Round {
  readonly onebit: Speed;
  readonly peer: Speed | undefined;
}

interface Row {
  readonly file: string;
  readonly threads: number;
  readonly onebit: Speed;
  readonly peer: Speed | undefined;
  /** onebit's speed over llama.cpp's. */
  readonly promptRatio: number | undefined;
  readonly decodeRatio: number | undefined;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1,2" },
    prompt: { type: "string", default: "64" },
    tokens: { type: "string", default: "48" },
    rounds: { type: "string", default: "5" },
    node: { type: "string", default: process.execPath },
    json: { type: "boolean", default: false },
  },
});
if (positionals.length === 0) throw new Error("usage: node benchmarks/run.mjs decode FILE...");
if (!peerInstalled) process.stderr.write("llama.cpp is not installed (npm install --no-save --prefix tests/conformance): onebit alone\n");

const rows: Row[] = [];
for (const file of positionals) {
  for (const threads of values.threads.split(",").map(Number)) rows.push(measure(file, threads));
}
const machine = { cpu: cpus()[0].model, nCpus: cpus().length, loadAverage: loadavg()[0] };
if (values.json) console.log(JSON.stringify({ machine, prompt: Number(values.prompt), tokens: Number(values.tokens), rows }, null, 2));
else printTable();

function measure(file: string, threads: number): Row {
  const rounds: Round[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    process.stderr.write(`${basename(file)}, ${threads} threads, round ${round + 1}\n`);
    rounds.push({ onebit: runOnebit(file, threads), peer: peerInstalled ? runPeer(file, threads) : undefined });
  }
  const ratio = (key: "promptTokensPerSecond" | "tokensPerSecond") =>
    peerInstalled ? median(rounds.map(({ onebit, peer }) => onebit[key] / peer![key])) : undefined;
  return {
    file: basename(file),
    threads,
    onebit: medians(rounds.map(({ onebit }) => onebit)),
    peer: peerInstalled ? medians(rounds.map(({ peer }) => peer!)) : undefined,
    promptRatio: ratio("promptTokensPerSecond"),
    decodeRatio: ratio("tokensPerSecond"),
  };
}

function runOnebit(file: string, threads: number): Speed {
  const sizes = ["--prompt", values.prompt, "--tokens", values.tokens, "--repeat", "2"];
  return run(values.node, ["dist/cli.js", "bench", file, ...sizes, "--threads", String(threads), "--json"]);
}

function runPeer(file: string, threads: number): Speed {
  return run(process.execPath, ["tests/conformance/llama-cpp.mjs", "bench", file, values.prompt, values.tokens, String(threads), "2"]);
}

function run(node: string, args: readonly string[]): Speed {
  return JSON.parse(execFileSync(node, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })) as Speed;
}

function medians(speeds: readonly Speed[]): Speed {
  return {
    loadMs: median(speeds.map((speed) => speed.loadMs)),
    promptTokensPerSecond: median(speeds.map((speed) => speed.promptTokensPerSecond)),
    tokensPerSecond: median(speeds.map((speed) => speed.tokensPerSecond)),
  };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function printTable(): void {
  const cell = (speed: Speed | undefined, key: keyof Speed) => (speed ? speed[key].toFixed(1) : "–");
  const times = (ratio: number | undefined) => (ratio === undefined ? "–" : `${ratio.toFixed(2)}×`);
  console.log(`${machine.cpu}, ${machine.nCpus} processors; load average ${machine.loadAverage.toFixed(1)}. Tokens a second.`);
  console.log(`| file | threads | prompt of ${values.prompt}: onebit | llama.cpp | ratio | decode: onebit | llama.cpp | ratio |`);
  console.log("|---|---|---|---|---|---|---|---|");
  for (const { file, threads, onebit, peer, promptRatio, decodeRatio } of rows) {
    const prompt = `${cell(onebit, "promptTokensPerSecond")} | ${cell(peer, "promptTokensPerSecond")} | ${times(promptRatio)}`;
    const decode = `${cell(onebit, "tokensPerSecond")} | ${cell(peer, "tokensPerSecond")} | ${times(decodeRatio)}`;
    console.log(`| ${file} | ${threads} | ${prompt} | ${decode} |`);
  }
}
