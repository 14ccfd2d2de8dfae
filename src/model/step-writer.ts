/**
 * Writes steps into memory: the field order of each opcode, as `assembly/program.ts` reads it, in one place.
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";

/** A float field; every other field is a word or an address. */
export interface FloatField {
  readonly float: number;
}

export type Field = number | FloatField;

export interface StepOptions {
  /** Whether threads wait for each other after this step; `batch`: where there are several rows. Default: true. */
  readonly barrier?: boolean | "batch";
  /** Work on the rows whose logits are wanted. Default: on every row. */
  readonly headRows?: boolean;
  /** With one row, each thread makes it for itself. */
  readonly ownRow?: boolean;
  /** With one row, each thread's input is the row it made for itself. */
  readonly ownInput?: boolean;
}

const BARRIER_FLAGS = { true: abi.FLAG_BARRIER, batch: abi.FLAG_BARRIER_BATCH, false: 0 } as const;

/** Appends steps at `address`; `nSteps` counts them. */
export class StepWriter {
  nSteps = 0;
  private readonly view: DataView;
  private readonly address: number;
  private readonly capacityBytes: number;

  constructor(memory: WebAssembly.Memory, address: number, capacityBytes: number) {
    this.view = new DataView(memory.buffer);
    this.address = address;
    this.capacityBytes = capacityBytes;
  }

  step(op: number, fields: readonly Field[], options: StepOptions = {}): void {
    const at = this.address + this.nSteps * abi.STEP_BYTES;
    if ((this.nSteps + 1) * abi.STEP_BYTES > this.capacityBytes || fields.length > abi.STEP_BYTES / 4 - 2) {
      fail("model/bad-config", `forward pass: step ${this.nSteps} does not fit the ${this.capacityBytes} bytes planned for the program`);
    }
    const flags = BARRIER_FLAGS[`${options.barrier ?? true}`] | (options.headRows ? abi.FLAG_HEAD_ROWS : 0) |
      (options.ownRow ? abi.FLAG_OWN_ROW : 0) | (options.ownInput ? abi.FLAG_OWN_INPUT : 0);
    this.view.setInt32(at, op, true);
    this.view.setInt32(at + 4, flags, true);
    fields.forEach((field, i) => {
      if (typeof field === "number") this.view.setInt32(at + 8 + 4 * i, field | 0, true);
      else this.view.setFloat32(at + 8 + 4 * i, field.float, true);
    });
    this.nSteps++;
  }
}
