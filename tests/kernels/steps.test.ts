/** The records of steps are the same in both languages, and no step is read or written in any other way. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import * as abi from "../../assembly/abi.ts";
import { StepWriter } from "../../src/kernels/step-writer.ts";
import { STEPS, type StepFields, type StepName, fieldOffset } from "../../src/kernels/steps.ts";

interface Field {
  readonly name: string;
  readonly type: string;
}

/** Fields of the classes of a source, those of the class that each extends first. */
function classesOf(
  file: string,
  known: ReadonlyMap<string, readonly Field[]> = new Map(),
): Map<string, readonly Field[]> {
  const classes = new Map(known);
  for (const [, name, base, body] of readFileSync(file, "utf8").matchAll(
    /@unmanaged\s+export class (\w+)(?: extends (\w+))? \{([^}]*)\}/g,
  )) {
    const own = [...body.matchAll(/(\w+): (\w+);/g)].map(([, field, type]) => ({ name: field, type }));
    classes.set(name, [...(base === undefined ? [] : classes.get(base)!), ...own]);
  }
  return classes;
}

/** By opcode, the class that the kernels read it as: `case abi.OP_A: case abi.OP_B: f(changetype<AStep>(step), …` */
function classesByOpcode(files: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of files) {
    for (const [, cases, name] of readFileSync(file, "utf8").matchAll(
      /((?:case abi\.OP_\w+:\s*)+)\w+\(changetype<(\w+)>\(step\)/g,
    )) {
      for (const [, op] of cases.matchAll(/abi\.(OP_\w+)/g)) found.set(op, name);
    }
  }
  return found;
}

const CLASSES = classesOf("assembly/train/steps.ts", classesOf("assembly/steps.ts"));
const READ_AS = classesByOpcode(["assembly/program.ts", "assembly/train/program.ts"]);
/** A flag is a word of 0 or 1. */
const TYPES = { address: "usize", i32: "i32", f32: "f32", flag: "i32" } as const;
const NAMES = Object.keys(STEPS) as StepName[];

test("every opcode has one record, which the kernels read as a class with the same fields at the same offsets", () => {
  const opcodes = new Map(
    Object.entries(abi)
      .filter(([name]) => name.startsWith("OP_") && name !== "OP_TRAIN_FIRST")
      .map(([name, op]) => [op as number, name]),
  );
  assert.deepEqual(
    NAMES.map((name) => STEPS[name].op).sort((a, b) => a - b),
    [...opcodes.keys()].sort((a, b) => a - b),
  );
  for (const name of NAMES) {
    const read = CLASSES.get(READ_AS.get(opcodes.get(STEPS[name].op)!)!);
    assert.ok(read, `${name}: the kernels read no class of it`);
    const written = Object.entries(STEPS[name].fields).map(([field, kind]) => ({
      name: field,
      type: TYPES[kind] as string,
    }));
    assert.deepEqual(read, [{ name: "op", type: "i32" }, { name: "flags", type: "i32" }, ...written], name);
    assert.ok(read.length * 4 <= abi.STEP_BYTES, `${name} has ${read.length} fields`);
  }
  assert.deepEqual(
    [...CLASSES.keys()].filter(
      (name) => name !== "Step" && name !== "RowsStep" && ![...READ_AS.values()].includes(name),
    ),
    [],
  );
});

test("every field is 4 bytes, so its place in the list gives its offset", () => {
  for (const fields of CLASSES.values()) for (const { type } of fields) assert.match(type, /^(?:i32|usize|f32)$/);
});

test("the writer puts each field where the class has it", () => {
  const memory = new WebAssembly.Memory({ initial: 1 }),
    view = new DataView(memory.buffer),
    address = 640;
  const writer = new StepWriter(memory, address, NAMES.length * abi.STEP_BYTES, (place: number) => place);
  for (const name of NAMES) {
    const fields = Object.entries(STEPS[name].fields),
      values = fields.map(([, kind], i) => (kind === "flag" ? i % 2 === 0 : kind === "f32" ? i + 0.5 : 0xfffff000 + i));
    const begin = address + writer.nSteps * abi.STEP_BYTES,
      record = Object.fromEntries(fields.map(([field], i) => [field, values[i]]));
    writer.step(name, record as StepFields<typeof name, number>, {
      barrier: "batch",
      headRows: true,
      ownRow: true,
      ownInput: true,
    });
    assert.deepEqual(
      [view.getInt32(begin, true), view.getInt32(begin + 4, true)],
      [STEPS[name].op, abi.FLAG_BARRIER_BATCH | abi.FLAG_HEAD_ROWS | abi.FLAG_OWN_ROW | abi.FLAG_OWN_INPUT],
    );
    const offsetOf = fieldOffset as (step: StepName, field: string) => number;
    fields.forEach(([field, kind], i) => {
      const at = begin + offsetOf(name, field);
      assert.equal(at, begin + 4 * (i + 2));
      assert.equal(
        kind === "f32" ? view.getFloat32(at, true) : view.getUint32(at, true),
        Number(values[i]),
        `${name}.${field}`,
      );
    });
  }
  assert.throws(() => writer.step("zero", { x: 0, total: 1 }), { code: "model/bad-config" });
});

test("a forgotten field, or one too many, is a type error", () => {
  const writer = new StepWriter(
    new WebAssembly.Memory({ initial: 1 }),
    0,
    4 * abi.STEP_BYTES,
    (place: number) => place,
  );
  // @ts-expect-error yStride is missing
  writer.step("addScaled", { x: 0, y: 0, factor: 1, dim: 4 });
  // @ts-expect-error there is no field z
  writer.step("zero", { x: 0, total: 4, z: 1 });
  // @ts-expect-error a flag is no number
  writer.step("pass", { from: 0, to: 0, add: 1, total: 4 });
});

test("nothing else reads or writes a step by offsets", () => {
  const sources = (folder: string) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${folder}/${name}`);
  const kernels = sources("assembly").filter((name) => !/__tests__|reference/.test(name));
  assert.deepEqual(
    kernels.filter((name) => /\b(?:word|ptr|float)\(s(?:tep)?, ?\d/.test(readFileSync(name, "utf8"))),
    [],
  );
  const encoders = sources("src").filter((name) => /\babi\.(?:OP_|FLAG_)/.test(readFileSync(name, "utf8")));
  assert.deepEqual(encoders.sort(), ["src/kernels/step-writer.ts", "src/kernels/steps.ts"]);
});
