/**
 * Writes the steps of a program into memory: the only place that turns a record into bytes (steps.ts).
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { STEPS, type StepFields, type StepName } from "./steps.ts";

export interface StepOptions {
  /** Whether threads wait for each other after this step; `batch`: only with several rows. Default: true. */
  readonly barrier?: boolean | "batch";
  /** Work only on the rows whose logits are wanted. Default: on every row. */
  readonly headRows?: boolean;
  /** With one row, each thread makes its own copy. */
  readonly ownRow?: boolean;
  /** With one row, each thread reads the copy it made. */
  readonly ownInput?: boolean;
  /** Add products of bytes in pairs of 16 bits. */
  readonly pairDots?: boolean;
}

const BARRIER_FLAGS = { true: abi.FLAG_BARRIER, batch: abi.FLAG_BARRIER_BATCH, false: 0 } as const;

/** Appends steps at `address`; `nSteps` counts them. A `Place` stands for an address. */
export class StepWriter<Place = number> {
  nSteps = 0;
  readonly #view: DataView;
  readonly #addressOf: (place: Place) => number;

  /** @param addressOf the address of a place; 0 for none */
  constructor(memory: WebAssembly.Memory, address: number, capacityBytes: number, addressOf: (place: Place) => number) {
    this.#view = new DataView(memory.buffer, address, capacityBytes);
    this.#addressOf = addressOf;
  }

  /** @throws OnebitError `model/bad-config` when the step does not fit */
  step<Name extends StepName>(name: Name, fields: StepFields<Name, Place>, options: StepOptions = {}): void {
    const view = this.#view,
      { op, fields: kinds } = STEPS[name],
      begin = this.nSteps * abi.STEP_BYTES;
    if (begin + abi.STEP_BYTES > view.byteLength) {
      fail("model/bad-config", `program: step ${this.nSteps} does not fit the ${view.byteLength} bytes planned for it`);
    }
    view.setInt32(begin, op, true);
    view.setInt32(begin + 4, flagsOf(options), true);
    const values = fields as Readonly<Record<string, unknown>>;
    Object.entries(kinds).forEach(([field, kind], i) => {
      const at = begin + 8 + 4 * i,
        value = values[field];
      if (kind === "f32") view.setFloat32(at, value as number, true);
      else if (kind === "address") view.setUint32(at, this.#addressOf(value as Place), true);
      else view.setInt32(at, fieldOf(name, field, Number(value)), true);
    });
    this.nSteps++;
  }
}

/** @throws OnebitError `option/invalid` for a number that does not fit 32 bits, signed or unsigned */
function fieldOf(step: string, field: string, value: number): number {
  if (value < -(2 ** 31) || value >= 2 ** 32)
    fail("option/invalid", `step ${step}: ${field}: wanted an integer of 32 bits, got ${value}`);
  return value;
}

function flagsOf({ barrier = true, headRows, ownRow, ownInput, pairDots }: StepOptions): number {
  const own = (ownRow ? abi.FLAG_OWN_ROW : 0) | (ownInput ? abi.FLAG_OWN_INPUT : 0);
  const kinds = (headRows ? abi.FLAG_HEAD_ROWS : 0) | (pairDots ? abi.FLAG_PAIR_DOTS : 0);
  return BARRIER_FLAGS[`${barrier}`] | kinds | own;
}
