/**
 * Which instructions each function of a WebAssembly module uses, and which functions it calls, by wabt.
 *
 * wabt reads only the features it is told of: reading with none is itself the proof that a module is baseline.
 */
import wabt from "wabt";

export interface Disassembly {
  /** `module.name` of each import. */
  readonly imports: readonly string[];
  /** Exported function name → its index. */
  readonly exports: ReadonlyMap<string, number>;
  readonly functions: ReadonlyMap<number, FunctionCode>;
}

export interface FunctionCode {
  readonly opcodes: Set<string>;
  readonly calls: Set<number>;
  /** Functions called from a loop that holds no other loop. */
  readonly innerCalls: Set<number>;
}

export interface WasmFeatures {
  readonly relaxed_simd?: boolean;
  readonly threads?: boolean;
}

/** @throws what wabt throws when the module uses a feature that is not in `features`. */
export async function disassemble(bytes: Uint8Array, features: WasmFeatures): Promise<Disassembly> {
  const { readWasm } = await wabt();
  // A copy: wabt misreads a view into the pool that Node keeps small files in.
  const module = readWasm(new Uint8Array(bytes), { ...features });
  try {
    return parseText(module.toText({ foldExprs: false, inlineExport: false }));
  } finally {
    module.destroy();
  }
}

function parseText(text: string): Disassembly {
  const imports = [...text.matchAll(/^ {2}\(import "([^"]*)" "([^"]*)"/gm)].map((match) => `${match[1]}.${match[2]}`);
  const exported = text.matchAll(/^ {2}\(export "([^"]*)" \(func (\d+)\)\)/gm);
  const exports = new Map([...exported].map((match) => [match[1], Number(match[2])]));
  const starts = [...text.matchAll(/^ {2}\(func \(;(\d+);\)/gm)];
  const functions = new Map<number, FunctionCode>();
  for (const [i, start] of starts.entries()) {
    functions.set(Number(start[1]), parseFunction(text.slice(start.index, starts[i + 1]?.index)));
  }
  return { imports, exports, functions };
}

function parseFunction(text: string): FunctionCode {
  const opcodes = new Set<string>();
  const calls = new Set<number>();
  const innerCalls = new Set<number>();
  const loops: { readonly called: Set<number>; innermost: boolean }[] = [];
  const blocks: string[] = [];
  for (const [, opcode, operand] of text.matchAll(/^ {4,}([a-z][a-z0-9_.]*)(?: (\d+))?/gm)) {
    opcodes.add(opcode);
    if (opcode === "call") {
      calls.add(Number(operand));
      loops.at(-1)?.called.add(Number(operand));
    }
    if (opcode === "loop" || opcode === "block" || opcode === "if") blocks.push(opcode);
    if (opcode === "loop") {
      for (const outer of loops) outer.innermost = false;
      loops.push({ called: new Set(), innermost: true });
    }
    if (opcode === "end" && blocks.pop() === "loop") {
      const loop = loops.pop();
      if (loop?.innermost) for (const called of loop.called) innerCalls.add(called);
    }
  }
  return { opcodes, calls, innerCalls };
}

/** Every instruction that the exported function `name` can reach through calls. */
export function reachableOpcodes({ exports, functions }: Disassembly, name: string): Set<string> {
  const start = exports.get(name);
  if (start === undefined) throw new Error(`the module has no export "${name}"`);
  const opcodes = new Set<string>();
  const seen = new Set([start]);
  for (const index of seen) {
    const code = functions.get(index);
    for (const opcode of code?.opcodes ?? []) opcodes.add(opcode);
    for (const called of code?.calls ?? []) seen.add(called);
  }
  return opcodes;
}
