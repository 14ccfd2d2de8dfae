/**
 * Cycles of the kernels' hot loops on x86 CPUs that need not be here, by llvm-mca on V8's own code.
 *
 *   node benchmarks/run.mjs cycles [--node PATH] [--out FILE]
 *
 * The code is what V8 makes on this machine. On one with AVX-VNNI it has an instruction that the others lack, so the
 * command refuses. Needs Debian's llvm-19 or another release from 16 on. Ends with 1 when a loop costs more than
 * cycles/kernel-loops.ts allows.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Variant } from "../src/kernels/variant.ts";
import { KERNEL_LOOPS, KINDS, type KernelLoop } from "./cycles/kernel-loops.ts";
import { type Loop, type MachineCode, loopsOf, machineCodeOf } from "./cycles/machine-code.ts";
import { type Llvm, findLlvm } from "./cycles/mca.ts";
import { findNodes } from "./suite/node-engines.ts";
import { runJson } from "./suite/processes.ts";

/** LLVM's names of CPUs without AVX-VNNI. */
const CPUS = { skylake: "Skylake", "icelake-server": "Ice Lake", znver3: "Zen 3", znver4: "Zen 4" } as const;

const { values } = parseArgs({ options: { node: { type: "string" }, out: { type: "string" } } });
const llvm = findLlvm(),
  { relaxed } = await findNodes(values.node);
if (process.arch !== "x64") throw new Error(`wanted an x64 machine, found ${process.arch}`);
if (relaxed === undefined) throw new Error("wanted a Node with relaxed SIMD: .ci/run nodes, or --node PATH");

const builds = new Map<Variant, MachineCode>();
for (const { variant } of KERNEL_LOOPS)
  if (!builds.has(variant)) builds.set(variant, machineCodeOf(variant, relaxed.path));
const measured = KERNEL_LOOPS.map((loop) => measure(loop, builds.get(loop.variant)!, llvm));
const v8 = await runJson<string>(relaxed.path, ["-p", "JSON.stringify(process.versions.v8)"]);
const table = tableOf(measured, `V8 ${v8} without AVX-VNNI, llvm-mca ${llvm.version}`);
process.stdout.write(table);
if (values.out !== undefined) writeFileSync(values.out, `# Cycles of the hot loops\n\n${table}`);
const tooSlow = measured.flatMap(({ loop, cycles }) =>
  Object.entries(loop.most)
    .filter(([cpu, most]) => cycles[cpu as keyof typeof CPUS] > most)
    .map(([cpu, most]) => `${loop.function} (${loop.variant}), ${cpu}: at most ${most}`),
);
for (const each of tooSlow) process.stderr.write(`above its limit: ${each}\n`);
process.exitCode = tooSlow.length > 0 ? 1 : 0;

interface Measured {
  readonly loop: KernelLoop;
  /** Of 1,000 products. */
  readonly instructions: number;
  readonly cycles: Readonly<Record<keyof typeof CPUS, number>>;
}

function measure(loop: KernelLoop, code: MachineCode, { cyclesOf }: Llvm): Measured {
  const turn = shortest(loop, code),
    scale = 1000 / loop.products;
  if (turn.some(({ text }) => text.startsWith("vpdpbusd")))
    throw new Error("this CPU has AVX-VNNI: its code is not that of the CPUs in the table");
  const cycles = Object.fromEntries(Object.keys(CPUS).map((cpu) => [cpu, cyclesOf(turn, cpu) * scale]));
  return { loop, instructions: turn.length * scale, cycles: cycles as Measured["cycles"] };
}

function shortest({ function: name, variant, has }: KernelLoop, code: MachineCode): Loop {
  const instructions = code.get(name);
  if (instructions === undefined) throw new Error(`${variant}: V8 printed no ${name}`);
  const isMeant = (loop: Loop) =>
    Object.entries(has).every(
      ([kind, count]) => loop.filter(({ text }) => KINDS[kind as keyof typeof KINDS].test(text)).length === count,
    );
  const found = loopsOf(instructions).filter(isMeant);
  if (found.length === 0) throw new Error(`${variant}: ${name} has no loop with ${JSON.stringify(has)}`);
  return found.reduce((least, loop) => (loop.length < least.length ? loop : least));
}

function tableOf(rows: readonly Measured[], versions: string): string {
  const names = Object.values(CPUS);
  return [
    `Cycles for 1,000 products; ${versions}.`,
    "",
    `| loop | build | instructions | ${names.join(" | ")} |`,
    `|---|---|---${"|---".repeat(names.length)}|`,
    ...rows.map(
      ({ loop, instructions, cycles }) =>
        `| ${loop.what} | ${loop.variant} | ${instructions.toFixed(0)} | ` +
        `${Object.values(cycles)
          .map((each) => each.toFixed(1))
          .join(" | ")} |`,
    ),
    "",
  ].join("\n");
}
