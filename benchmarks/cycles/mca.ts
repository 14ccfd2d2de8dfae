/** Cycles that a loop takes on a CPU that is not here, by LLVM's model of it (llvm-mca): free of noise. */
import { execFileSync } from "node:child_process";
import type { Loop } from "./machine-code.ts";

/** 16 is the first with a model of Zen 4. */
const RELEASES = Array.from({ length: 15 }, (_, i) => 30 - i);
/** Enough for the first turns not to count. */
const TURNS = 200;

export interface Llvm {
  readonly version: string;
  /** Cycles of one turn. The CPU's name is LLVM's. */
  cyclesOf(loop: Loop, cpu: string): number;
}

/** @throws Error where no release is installed */
export function findLlvm(): Llvm {
  for (const release of RELEASES) {
    const tool = (name: string) => `${name}-${release}`;
    try {
      const version = /LLVM version (\S+)/.exec(run(tool("llvm-mca"), ["--version"], ""))?.[1] ?? String(release);
      return { version, cyclesOf: (loop, cpu) => cyclesOf(tool, loop, cpu) };
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
    }
  }
  throw new Error(`wanted llvm-mca and llvm-mc, release 16 or later: apt-get install llvm-19`);
}

function cyclesOf(tool: (name: string) => string, loop: Loop, cpu: string): number {
  const bytes = loop.map((each) => each.bytes.replace(/../g, "0x$& ")).join("\n"),
    features = "-mattr=+avx2,+avxvnni,+fma,+f16c";
  const text = run(tool("llvm-mc"), ["--disassemble", "-triple=x86_64", features], bytes);
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !/^\s*\./.test(line));
  // Jumps leave the listing: any label will do.
  const listing = ["turn:", ...lines.map((line) => line.replace(/^(\s*j\w+\s).*$/, "$1turn"))].join("\n");
  const args = ["-mtriple=x86_64", `-mcpu=${cpu}`, features, `-iterations=${TURNS}`, "-instruction-info=0"];
  const report = run(tool("llvm-mca"), args, `${listing}\n`);
  return Number(/Total Cycles:\s+(\d+)/.exec(report)![1]) / TURNS;
}

function run(command: string, args: readonly string[], input: string): string {
  return execFileSync(command, args, { input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });
}
