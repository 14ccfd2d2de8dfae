/**
 * V8's machine code of the kernels, and the loops in it.
 *
 * V8 prints each function (`--print-wasm-code`, x64) as a line `name: assembly/file/function`, then one line an
 * instruction: address, offset, bytes, text. A jump names its target: `jl 0x3c99…`.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Instruction {
  /** Bytes, as hexadecimal digits. */
  readonly bytes: string;
  readonly text: string;
  /** Places of the instructions that may come next. */
  readonly next: readonly number[];
}

/** Instructions by function, as optimised code: `weights/q6-k/addBlocks`. */
export type MachineCode = ReadonlyMap<string, readonly Instruction[]>;

const COMPILE = "new WebAssembly.Module(require('node:fs').readFileSync(process.argv[2]))";
const OUTPUT_BYTES_MAX = 1e9;

/** Compiles a build of the kernels with names, and lets `node` print what V8 makes of it. */
export function machineCodeOf(variant: string, node: string): MachineCode {
  const folder = mkdtempSync(join(tmpdir(), "onebit-cycles-"));
  try {
    const wasm = join(folder, "kernels.wasm"),
      asc = join("node_modules", "assemblyscript", "bin", "asc.js");
    const args = [asc, "assembly/index.ts", "--config", "asconfig.json", "--target", variant, "--debug"];
    execFileSync(process.execPath, [...args, "--outFile", wasm], { stdio: ["ignore", "ignore", "pipe"] });
    const script = join(folder, "compile.cjs");
    writeFileSync(script, COMPILE);
    const flags = ["--no-liftoff", "--no-wasm-lazy-compilation", "--print-wasm-code"];
    return parse(
      execFileSync(node, [...flags, script, wasm], { encoding: "latin1", maxBuffer: OUTPUT_BYTES_MAX, stdio: "pipe" }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Line {
  readonly address: number;
  readonly bytes: string;
  readonly text: string;
}

function parse(dump: string): MachineCode {
  const functions = new Map<string, Line[]>();
  let lines: Line[] = [];
  for (const line of dump.split("\n")) {
    const name = /^name: (?:assembly\/)?(.*)$/.exec(line)?.[1],
      found = /^0x([0-9a-f]+) +[0-9a-f]+ {2}([0-9a-f]+) +(\S.*)$/.exec(line);
    if (name !== undefined) functions.set(name, (lines = []));
    else if (found) lines.push({ address: parseInt(found[1], 16), bytes: found[2], text: found[3] });
  }
  return new Map([...functions].map(([name, found]) => [name, linked(found)]));
}

function linked(lines: readonly Line[]): Instruction[] {
  const places = new Map(lines.map(({ address }, place) => [address, place]));
  return lines.map(({ bytes, text }, place) => {
    const target = places.get(parseInt(/^j\w+ 0x([0-9a-f]+)/.exec(text)?.[1] ?? "", 16)),
      goesOn = !/^(?:jmp|ret|int3|ud2)/.test(text) && place + 1 < lines.length;
    return { bytes, text, next: [...(goesOn ? [place + 1] : []), ...(target === undefined ? [] : [target])] };
  });
}

/** A loop's instructions in the order of one turn. */
export type Loop = readonly Instruction[];

/** Paths tried from a loop's head: kernels have few branches. */
const PATHS_MAX = 50_000;

/** Every way round every loop of a function, without a place twice. */
export function loopsOf(code: readonly Instruction[]): Loop[] {
  const heads = new Set(code.flatMap(({ next }, place) => next.filter((target) => target <= place)));
  return [...heads].flatMap((head) => turnsFrom(head, code));
}

function turnsFrom(head: number, code: readonly Instruction[]): Loop[] {
  const leadsBack = placesBefore(head, code),
    found: Loop[] = [],
    open: (readonly number[])[] = [[head]];
  for (let nPaths = 0; open.length > 0 && nPaths < PATHS_MAX; nPaths++) {
    const path = [...open.pop()!];
    for (;;) {
      const ways = code[path[path.length - 1]].next.filter((place) => leadsBack.has(place));
      if (ways.includes(head)) found.push(path.map((place) => code[place]));
      const others = ways.filter((place) => place !== head && !path.includes(place));
      for (const place of others.slice(1)) open.push([...path, place]);
      if (others.length === 0) break;
      path.push(others[0]);
    }
  }
  return found;
}

/** Places from which `head` can be reached. */
function placesBefore(head: number, code: readonly Instruction[]): ReadonlySet<number> {
  const before = code.map((): number[] => []);
  code.forEach(({ next }, place) => next.forEach((target) => before[target].push(place)));
  const found = new Set([head]);
  for (const place of found) before[place].forEach((each) => found.add(each));
  return found;
}
