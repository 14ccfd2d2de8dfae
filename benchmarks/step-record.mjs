/** A step's record in memory, for benchmarks that call kernels one by one. */
import { readFileSync } from "node:fs";

/** Bytes of the opcode and the flags, which come before the fields; every field has four. */
const HEAD_BYTES = 8,
  FIELD_BYTES = 4;

export class StepRecord {
  #view;
  #fields;

  /** @param className a class of assembly/steps.ts or assembly/train/steps.ts */
  constructor(memory, address, className) {
    this.address = address;
    this.#fields = CLASSES.get(className);
    this.#view = new DataView(memory.buffer, address, HEAD_BYTES + FIELD_BYTES * this.#fields.length);
  }

  /** Sets fields by name; returns the address, which kernels take. */
  set(values) {
    for (const [name, value] of Object.entries(values)) {
      const i = this.#fields.findIndex((field) => field.name === name),
        at = HEAD_BYTES + FIELD_BYTES * i;
      if (i < 0) throw new Error(`no field ${name}`);
      if (this.#fields[i].type === "f32") this.#view.setFloat32(at, value, true);
      else this.#view.setInt32(at, value, true);
    }
    return this.address;
  }
}

/** The fields of each class, those of the class that it extends first. */
const CLASSES = new Map([["Step", []]]);
for (const file of ["assembly/steps.ts", "assembly/train/steps.ts"]) {
  const classes = readFileSync(file, "utf8").matchAll(/export class (\w+) extends (\w+) \{([^}]*)\}/g);
  for (const [, name, base, body] of classes) {
    const own = [...body.matchAll(/(\w+): (\w+);/g)].map(([, field, type]) => ({ name: field, type }));
    CLASSES.set(name, [...CLASSES.get(base), ...own]);
  }
}
