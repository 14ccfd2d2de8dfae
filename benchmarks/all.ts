/**
 * The whole suite: whole models beside their peers, how speed scales, where time goes, what loading and fetching cost.
 *
 *   npm run bench                          everything: half an hour on two cores
 *   npm run bench -- --quick               a look: minutes
 *   npm run bench -- --only 2b4t           pieces whose name has this in it (a regular expression)
 *   npm run bench -- --list                names of the pieces
 *   npm run bench -- --report              only the tables and the chart, of what was measured before
 *       [--rounds 3] [--node PATH] [--out FOLDER]
 *
 * Each piece writes a JSON file to benchmarks/results (with --quick to build/benchmarks/quick); README.md and
 * decode.svg there show all of them. Installs missing peers, and lists one that cannot run with its reason.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Chromium } from "./suite/browser.ts";
import type { Context } from "./suite/context.ts";
import { decodeChart } from "./suite/decode-chart.ts";
import { installMissing } from "./suite/dependencies.ts";
import { findNodes } from "./suite/node-engines.ts";
import { pieceTasks } from "./suite/pieces.ts";
import { resultsMarkdown } from "./suite/markdown.ts";
import type { Piece } from "./suite/results.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "." },
    list: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    rounds: { type: "string" },
    node: { type: "string" },
    out: { type: "string" },
  },
});
const out = values.out ?? (values.quick ? "build/benchmarks/quick" : "benchmarks/results");
const tasks = pieceTasks.filter(({ name, isSlow }) => new RegExp(values.only).test(name) && !(values.quick && isSlow));

if (values.list) console.log(tasks.map(({ name }) => name).join("\n"));
else {
  mkdirSync(out, { recursive: true });
  if (!values.report) await measureAll();
  writeReport();
}

async function measureAll(): Promise<void> {
  const note = (line: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
  if (tasks.length === 0) throw new Error(`no piece is named ${values.only}: --list says which there are`);
  installMissing(note);
  let browser: Promise<Chromium> | undefined;
  const context: Context = {
    isQuick: values.quick,
    rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
    nodes: await findNodes(values.node),
    note,
    startBrowser: () => (browser ??= Chromium.start()),
  };
  const closeBrowser = async (): Promise<void> => {
    await (await browser?.catch(() => undefined))?.close();
    browser = undefined;
  };
  const interrupted = (): void => void closeBrowser().finally(() => process.exit(130));
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  let nFailed = 0;
  for (const task of tasks) {
    const started = performance.now(),
      loadAverage = loadavg()[0],
      date = new Date().toISOString();
    try {
      const { data, absent = [] } = await task.run(context);
      const machine = {
        cpu: cpus()[0].model,
        nCpus: cpus().length,
        memoryBytes: totalmem(),
        os: `${type()} ${release()}`,
        loadAverage,
      };
      const piece: Piece = {
        name: task.name,
        isQuick: values.quick,
        date,
        seconds: Math.round((performance.now() - started) / 1e3),
        machine,
        versions: await versions(context, browser),
        absent,
        data,
      };
      writeFileSync(join(out, `${task.name}.json`), `${JSON.stringify(piece, null, 2)}\n`);
      writeReport();
    } catch (error) {
      nFailed++;
      // Old results of this piece must not mix with new ones.
      rmSync(join(out, `${task.name}.json`), { force: true });
      note(`${task.name} failed: ${(error as Error).stack}`);
    } finally {
      // Free one piece's memory before measuring the next.
      await closeBrowser();
    }
  }
  if (nFailed > 0) process.exitCode = 1;
}

async function versions({ nodes }: Context, browser: Promise<Chromium> | undefined): Promise<Record<string, string>> {
  const output = (program: string, args: string[]): string => execFileSync(program, args, { encoding: "utf8" }).trim();
  const packageVersion = (folder: string, name: string): string | undefined => {
    try {
      return (JSON.parse(readFileSync(`${folder}/node_modules/${name}/package.json`, "utf8")) as { version: string })
        .version;
    } catch {
      return undefined;
    }
  };
  const found: Record<string, string | undefined> = {
    onebit: commit(output),
    "Node, baseline": nodes.baseline && output(nodes.baseline.path, ["--version"]),
    "Node, newest": nodes.relaxed && output(nodes.relaxed.path, ["--version"]),
    Chromium: (await browser?.catch(() => undefined))?.version,
    "node-llama-cpp": packageVersion("tests/conformance", "node-llama-cpp"),
    wllama: packageVersion("benchmarks", "@wllama/wllama"),
    "onnxruntime-web": packageVersion("benchmarks", "onnxruntime-web"),
  };
  return Object.fromEntries(Object.entries(found).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The commit, marked if files other than these results differ; none for a copy without history. */
function commit(output: (program: string, args: string[]) => string): string | undefined {
  try {
    const changed =
      output("git", ["status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results"]) !== "";
    return output("git", ["rev-parse", "--short", "HEAD"]) + (changed ? "-dirty" : "");
  } catch {
    return undefined;
  }
}

function writeReport(): void {
  const pieces = readdirSync(out)
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(join(out, name), "utf8")) as Piece);
  // In the suite's order, not the order of measurement.
  const ordered = pieceTasks.flatMap(({ name }) => pieces.filter((piece) => piece.name === name));
  if (ordered.length === 0) return;
  writeFileSync(join(out, "README.md"), resultsMarkdown(ordered));
  writeFileSync(join(out, "decode.svg"), decodeChart(ordered));
}
