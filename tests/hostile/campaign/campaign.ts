/**
 * Runs many hostile inputs in child processes and lists those that crash, hang, throw an untyped error, take more than
 * two seconds of processor time or hold more than three times their size and 64 MB. An input over a bound is tried once
 * more in a process of its own: garbage of the inputs before it is not its fault.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { build } from "esbuild";
import type { AttemptLine } from "./attempts.ts";

const PROCESSOR_MS_MAX = 2000;
const HELD_BYTES_PER_INPUT_BYTE = 3;
const HELD_BYTES_BESIDE = 64 * 2 ** 20;
/** A child that says nothing for so long hangs: sixty times the processor time an input has. */
const SILENCE_MS_MAX = 120_000;
/** Inputs one child tries: enough to make its start cheap, few enough that its peak of memory says something. */
const INPUTS_PER_CHILD = 1000;
const CHILDREN = 2;

export interface Campaign {
  /** A module that calls `attemptInputs` with its generators. */
  readonly entry: string;
  /** Numbers of the inputs: from `first` on, `count` of them. */
  readonly first: number;
  readonly count: number;
  readonly silenceMs?: number;
}

/** An input that onebit did not stand, by the number that makes it again. */
export interface Finding {
  readonly index: number;
  readonly generator: string;
  readonly what: string;
}

export interface CampaignReport {
  readonly tried: number;
  readonly findings: readonly Finding[];
  /** generator → outcome → how many. */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** generator → processor time of all its inputs. */
  readonly processorMs: ReadonlyMap<string, number>;
}

type EndLine = Extract<AttemptLine, { ends: number }>;

/** How a range of inputs went in one child. `reached` is the input after the last one that ended or was at fault. */
interface Pass {
  readonly reached: number;
  readonly findings: readonly Finding[];
}

/** Runs `campaign`; two children at a time. */
export async function runCampaign(campaign: Campaign): Promise<CampaignReport> {
  const folder = mkdtempSync(join(tmpdir(), "onebit-hostile-"));
  try {
    const program = await bundle(campaign.entry, folder);
    const run = new CampaignRun(program, campaign);
    await Promise.all(Array.from({ length: CHILDREN }, () => run.work()));
    return {
      tried: campaign.count,
      findings: run.findings.sort((a, b) => a.index - b.index),
      outcomes: run.outcomes,
      processorMs: run.processorMs,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In parts: in one file, esbuild would copy each byte of the default model as a property, for 4 s and 250 MB. */
async function bundle(entry: string, outdir: string): Promise<string> {
  await build({
    entryPoints: { attempts: entry },
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20",
    loader: { ".wasm": "binary", ".gguf": "binary" },
    logLevel: "error",
    sourcemap: true,
  });
  return join(outdir, "attempts.mjs");
}

class CampaignRun {
  readonly findings: Finding[] = [];
  readonly outcomes = new Map<string, Map<string, number>>();
  readonly processorMs = new Map<string, number>();
  readonly #program: string;
  readonly #end: number;
  readonly #silenceMs: number;
  #next: number;

  constructor(program: string, { first, count, silenceMs = SILENCE_MS_MAX }: Campaign) {
    this.#program = program;
    this.#next = first;
    this.#end = first + count;
    this.#silenceMs = silenceMs;
  }

  /** Takes ranges until none is left. */
  async work(): Promise<void> {
    while (this.#next < this.#end) {
      const from = this.#next,
        to = Math.min(from + INPUTS_PER_CHILD, this.#end);
      this.#next = to;
      await this.#tryRange(from, to);
    }
  }

  async #tryRange(from: number, to: number): Promise<void> {
    for (let at = from; at < to; ) {
      const { reached, findings } = await this.#pass(at, to, (generator, line) => this.#count(generator, line));
      for (const finding of findings) {
        const alone = await this.#pass(finding.index, finding.index + 1, () => {});
        this.findings.push(...alone.findings);
        // A crash that needs the inputs before it is one all the same.
        if (alone.findings.length === 0 && isFatal(finding))
          this.findings.push({ ...finding, what: `${finding.what} (after the inputs from ${at} on)` });
      }
      at = reached;
    }
  }

  #count(generator: string, { outcome, processorMs }: EndLine): void {
    this.processorMs.set(generator, (this.processorMs.get(generator) ?? 0) + processorMs);
    const counts = this.outcomes.get(generator) ?? new Map<string, number>();
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    this.outcomes.set(generator, counts);
  }

  async #pass(from: number, to: number, onEnd: (generator: string, line: EndLine) => void): Promise<Pass> {
    const findings: Finding[] = [];
    let generator = "",
      started = from,
      ended = from - 1;
    // Alone, an input is judged by what it holds: a small young generation leaves little garbage lying.
    const flags = to - from === 1 ? ["--expose-gc", "--max-semi-space-size=1"] : ["--expose-gc"];
    const args = [...flags, "--enable-source-maps", this.#program, String(from), String(to)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe", "pipe"] });
    const end = await watch(child, this.#silenceMs, (line) => {
      if ("starts" in line) {
        [started, generator] = [line.starts, line.generator];
        return;
      }
      ended = line.ends;
      onEnd(generator, line);
      findings.push(...faultsOf(line).map((what) => ({ index: line.ends, generator, what })));
    });
    if (ended === to - 1 && end === undefined) return { reached: to, findings };
    return {
      reached: started + 1,
      findings: [...findings, { index: started, generator, what: `${FATAL}: ${end ?? "ended early"}` }],
    };
  }
}

const FATAL = "the process died";

function isFatal({ what }: Finding): boolean {
  return what.startsWith(FATAL);
}

/** Every bound that one ended input broke. */
function faultsOf(line: EndLine): string[] {
  const faults: string[] = [];
  const heldMax = HELD_BYTES_PER_INPUT_BYTE * line.inputBytes + HELD_BYTES_BESIDE;
  if (line.untyped !== undefined) faults.push(`untyped: ${line.untyped}`);
  if (line.processorMs > PROCESSOR_MS_MAX)
    faults.push(`${Math.round(line.processorMs)} ms of processor time, at most ${PROCESSOR_MS_MAX} (${line.outcome})`);
  if (line.heldBytes > heldMax)
    faults.push(`held ${line.heldBytes} bytes for ${line.inputBytes} of input, at most ${heldMax} (${line.outcome})`);
  return faults;
}

/** Hands out the child's lines. Resolves to undefined when it ended well, else to why it did not. */
async function watch(
  child: ChildProcess,
  silenceMs: number,
  onLine: (line: AttemptLine) => void,
): Promise<string | undefined> {
  let errors = "",
    isSilent = false;
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (errors = (errors + chunk).slice(-2000)));
  const kill = (): void => {
    isSilent = true;
    child.kill("SIGKILL");
  };
  const ended = new Promise<string | undefined>((resolve) => {
    child.on("close", (code, signal) => {
      if (isSilent) resolve(`it said nothing for ${silenceMs} ms`);
      else resolve(code === 0 ? undefined : `${signal ?? `exit code ${code}`} ${errors}`);
    });
  });
  let timer = setTimeout(kill, silenceMs);
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
    clearTimeout(timer);
    timer = setTimeout(kill, silenceMs);
    // A process that was killed may leave half a line.
    if (line.endsWith("}")) onLine(JSON.parse(line) as AttemptLine);
  }
  clearTimeout(timer);
  return ended;
}
