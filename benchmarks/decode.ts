/**
 * Speed of whole models, onebit beside llama.cpp (node-llama-cpp, native code) on the same files: tokens a second to
 * read a prompt and to write.
 *
 *   node benchmarks/run.mjs decode FILE... [--threads 1,2] [--prompt 64] [--tokens 48] [--rounds 5] [--json]
 *       [--node PATH]      another Node runs onebit
 *       [--against FOLDER] beside another checkout's build of onebit instead of llama.cpp
 *
 * Engines take turns, each in its own process, so that a busy moment of the machine hits both; medians over the rounds.
 * Ratios are medians of the rounds' ratios.
 */
import { cpus, loadavg } from "node:os";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { LLAMA_CPP } from "./suite/engine-names.ts";
import { llamaCpp, onebitInNode } from "./suite/node-engines.ts";
import { type EngineResult, speedRatio, takeTurns } from "./suite/turns.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1,2" },
    prompt: { type: "string", default: "64" },
    tokens: { type: "string", default: "48" },
    rounds: { type: "string", default: "5" },
    node: { type: "string", default: process.execPath },
    against: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
if (positionals.length === 0) throw new Error("usage: node benchmarks/run.mjs decode FILE...");

interface Row {
  readonly file: string;
  readonly threads: number;
  readonly onebit: EngineResult;
  readonly peer: EngineResult | undefined;
}

const node = { path: values.node },
  peerName = values.against ?? LLAMA_CPP,
  engines = [
    onebitInNode("onebit", node),
    values.against === undefined ? llamaCpp() : onebitInNode(values.against, node, values.against),
  ],
  rows: Row[] = [];
for (const file of positionals) {
  for (const threads of values.threads.split(",").map(Number)) rows.push(await measure(file, threads));
}
const machine = { cpu: cpus()[0].model, nCpus: cpus().length, loadAverage: loadavg()[0] };
if (values.json)
  console.log(
    JSON.stringify(
      {
        machine,
        rows: rows.map((row) => ({
          ...row,
          promptRatio: ratio(row, "promptTokensPerSecond"),
          decodeRatio: ratio(row, "tokensPerSecond"),
        })),
      },
      null,
      2,
    ),
  );
else printTable();

async function measure(file: string, threads: number): Promise<Row> {
  const work = { file, threads, promptTokens: Number(values.prompt), tokens: Number(values.tokens), repeats: 3 };
  const { results, absent } = await takeTurns(engines, work, Number(values.rounds), (line) =>
    process.stderr.write(`${basename(file)}, ${threads} threads, ${line}\n`),
  );
  const [onebit, peer] = engines.map(({ name }) => results.find(({ engine }) => engine === name));
  if (!onebit) throw new Error(absent[0].reason);
  return { file: basename(file), threads, onebit, peer };
}

function ratio({ onebit, peer }: Row, key: "promptTokensPerSecond" | "tokensPerSecond"): number | undefined {
  return speedRatio(onebit, peer, key);
}

function printTable(): void {
  console.log(
    `${machine.cpu}, ${machine.nCpus} processors; load average ${machine.loadAverage.toFixed(1)}. Tokens a second.`,
  );
  console.log(
    `| file | threads | prompt of ${values.prompt}: onebit | ${peerName} | ratio ` +
      `| decode: onebit | ${peerName} | ratio |`,
  );
  console.log("|---|---|---|---|---|---|---|---|");
  for (const row of rows) {
    const cells = (["promptTokensPerSecond", "tokensPerSecond"] as const).flatMap((key) => [
      row.onebit.speed[key].toFixed(1),
      row.peer?.speed[key].toFixed(1) ?? "–",
      ratio(row, key) === undefined ? "–" : `${ratio(row, key)!.toFixed(2)}×`,
    ]);
    console.log(`| ${[row.file, row.threads, ...cells].join(" | ")} |`);
  }
}
