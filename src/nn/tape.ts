/**
 * Automatic differentiation as data. Each operation (ops.ts) records steps of the kernels' program and registers its
 * backward recorder. `compile` runs these recorders in reverse, places every intermediate value in memory only while a
 * step needs it, and writes one program that the kernels walk without returning.
 *
 *   const tape = new Tape(runtime);
 *   const x = tape.input([rows, dim]), y = linear(tape, x, weight);     // records
 *   const graph = tape.compile({ outputs: [y], seeds: [y] });           // plans memory, writes programs
 *   graph.f32(x).set(data); graph.forward(); graph.f32(y);
 *   graph.gradient(y).set(dy); graph.backward(); graph.gradient(x);
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import {
  BOOLEAN,
  FUNCTION,
  type Kind,
  type OptionTable,
  check,
  checkOptions,
  kind,
  list,
  number,
  required,
  whole,
} from "../core/options.ts";
import { StepWriter } from "../kernels/step-writer.ts";
import { type FieldKind, STEPS, type StepFields, type StepName } from "../kernels/steps.ts";
import { Graph } from "./graph.ts";
import { PARAMETER, type Parameter } from "./parameter.ts";
import { type Lifetime, placeLifetimes } from "./place-lifetimes.ts";
import { RUNTIME, type Runtime } from "./runtime.ts";
import { TENSOR, Tensor } from "./tensor.ts";

const TENSORS = list("a list of tensors", TENSOR);

/**
 * What a step reads or writes: a value, a part of one, or nothing. It is an address once `compile` has placed the
 * value.
 */
export type Place = Tensor | PartOfTensor | undefined;

/** Where a part of a value begins. */
export interface PartOfTensor {
  /** The value. */
  readonly inside: Tensor;
  /** From its beginning. */
  readonly offsetBytes: number;
}

const PLACE = kind<Place>(
  "a Tensor, a part of one or undefined",
  (place) =>
    place === undefined ||
    place instanceof Tensor ||
    (typeof place === "object" && place !== null && "inside" in place && place.inside instanceof Tensor),
);
/** Sizes may exceed 32 bits while recording: `compile` then refuses the graph and states the memory it needs. */
const FIELD_KINDS: Readonly<Record<FieldKind, Kind<unknown>>> = {
  address: PLACE,
  i32: required(whole(Number.MIN_SAFE_INTEGER)),
  f32: required(number({})),
  flag: required(BOOLEAN),
};
const STEP_NAME = kind<StepName>(
  "the name of a step",
  (name) => typeof name === "string" && Object.hasOwn(STEPS, name),
);

interface RecordedStep {
  /** The values it reads and writes. */
  readonly tensors: readonly Tensor[];
  write(to: StepWriter<Place>): void;
}

/** Options of {@link Tape.step}. */
export interface RecordOptions {
  /** Scratch that each thread needs. Default: none. */
  readonly scratchBytes?: number;
  /** The step works on the positions of one sequence ({@link Tape.setSequenceLength}). Default: false. */
  readonly headRows?: boolean;
}

/** Options of {@link Tape}. */
export interface TapeOptions {
  /** Whether parameters get gradients. Default true; without, no memory for them is taken. */
  readonly gradients?: boolean;
}

/** Options of {@link Tape.compile}. */
export interface CompileOptions {
  /** Values to read after `forward`. */
  readonly outputs: readonly Tensor[];
  /** Values whose gradients the caller sets before `backward`. */
  readonly seeds?: readonly Tensor[];
  /** Whether a loss recorded here starts the backward pass. Without seeds and this, the graph only goes forward. */
  readonly fromLoss?: boolean;
  /**
   * Gives every value memory of its own, for looking at them all. Default: values take the place of those no longer
   * needed.
   */
  readonly keepAll?: boolean;
}

const RECORD_OPTIONS: OptionTable<RecordOptions> = { scratchBytes: whole(0), headRows: BOOLEAN };
const TAPE_OPTIONS: OptionTable<TapeOptions> = { gradients: BOOLEAN };
const COMPILE_OPTIONS: OptionTable<CompileOptions> = {
  outputs: required(TENSORS),
  seeds: TENSORS,
  fromLoss: BOOLEAN,
  keepAll: BOOLEAN,
};

/** Where a share of a gradient goes. */
export interface GradientTarget {
  /** The gradient. */
  readonly into: Tensor;
  /** Whether something is there already, to add to. */
  readonly add: boolean;
}

/** Memory that a graph takes. */
export interface GraphMemory {
  /** Its program and values. */
  readonly blockBytes: number;
  /** Scratch of each thread. */
  readonly scratchBytes: number;
}

/** Options of {@link Tape.input}. */
/** Options of {@link Tape.input}. */
/** Options of {@link Tape.input}. */
/** Options of {@link Tape.input}. */
/** Options of {@link Tape.input}. */
/** Options of {@link Tape.input}. */
export interface InputOptions {
  /** Whether the caller wants its gradient. Default false. */
  readonly needsGradient?: boolean;
}

const INPUT_OPTIONS: OptionTable<InputOptions> = { needsGradient: BOOLEAN };

/**
 * Automatic differentiation as data. Operations ({@link ops}) record steps of the kernels' program and how to record
 * their gradients; {@link Tape.compile} writes one program, forward and backward, with a place for each value for as
 * long as a step needs it.
 *
 * @example
 * ```ts
 * import { Runtime, Tape, ops } from "onebit/nn";
 *
 * const tape = new Tape(new Runtime());
 * const x = tape.input([1, 2], { needsGradient: true }),
 *   y = ops.activate(tape, "relu2", x);
 * const graph = tape.compile({ outputs: [y], seeds: [y] });
 * graph.f32(x).set([3, -1]);
 * graph.forward();
 * console.log(graph.f32(y)); // 9, 0
 * graph.gradient(y).fill(1);
 * graph.backward();
 * console.log(graph.gradient(x)); // 6, 0
 * ```
 */
export class Tape {
  /** Where its graph will run. */
  readonly runtime: Runtime;
  readonly #forward: RecordedStep[] = [];
  readonly #gradientRecorders: (() => void)[] = [];
  readonly #backward: RecordedStep[] = [];
  readonly #inputs: Tensor[] = [];
  readonly #fixed = new Set<Tensor>();
  readonly #gradients = new Map<Tensor, Tensor>();
  readonly #parameters = new Map<Parameter, Tensor>();
  readonly #parameterOf = new Map<Tensor, Parameter>();
  readonly #shared = new Map<object, Map<string, object>>();
  readonly #hasGradients: boolean;
  #isBackward = false;
  #scratchBytes = 0;
  #rows = 1;
  #headRows: number | undefined;

  /** @throws OnebitError `option/invalid` */
  constructor(runtime: Runtime, options: TapeOptions = {}) {
    this.runtime = check("runtime", runtime, RUNTIME);
    this.#hasGradients = checkOptions("Tape", options, TAPE_OPTIONS).gradients ?? true;
  }

  /** A value that the caller sets before `forward`. */
  input(shape: readonly number[], options: InputOptions = {}): Tensor {
    const tensor = new Tensor(shape, checkOptions("input", options, INPUT_OPTIONS).needsGradient ?? false);
    this.#inputs.push(tensor);
    return tensor;
  }

  /** A value that steps write. */
  value(shape: readonly number[], needsGradient: boolean, bytesPerItem = 4): Tensor {
    return new Tensor(shape, needsGradient, bytesPerItem);
  }

  /** The value of a parameter; its gradient adds to the parameter's own. */
  parameter(parameter: Parameter): Tensor {
    const known = this.#parameters.get(check("parameter", parameter, PARAMETER));
    if (known) return known;
    const value = this.#fixedTensor(parameter.shape, this.#hasGradients, parameter.address);
    this.#parameters.set(parameter, value);
    this.#parameterOf.set(value, parameter);
    return value;
  }

  /** Memory that outlives the graph, at an address of the runtime's. */
  at(address: number, shape: readonly number[], bytesPerItem = 4): Tensor {
    return this.#fixedTensor(shape, false, check("address", address, whole(0)), bytesPerItem);
  }

  #fixedTensor(shape: readonly number[], needsGradient: boolean, address: number, bytesPerItem = 4): Tensor {
    const tensor = new Tensor(shape, needsGradient, bytesPerItem);
    tensor.address = address;
    this.#fixed.add(tensor);
    return tensor;
  }

  /** What several steps read and is recorded once: `what` of `source`, which must not change in place afterwards. */
  once<T extends object>(source: object, what: string, record: () => T): T {
    check("record", record, FUNCTION);
    const known = this.#shared.get(source) ?? new Map<string, object>();
    this.#shared.set(source, known);
    const value = known.get(what) ?? record();
    known.set(what, value);
    return value as T;
  }

  /**
   * Records a step of the kernels by its name. {@link ops} call it.
   * @throws OnebitError `option/invalid` for a field of another kind, `option/unknown`
   */
  step<Name extends StepName>(name: Name, fields: StepFields<Name, Place>, options: RecordOptions = {}): void {
    const { scratchBytes = 0, headRows = false } = checkOptions("step", options, RECORD_OPTIONS),
      given = checkFields(name, fields);
    const step = {
      tensors: tensorsOf(name, given),
      write: (to: StepWriter<Place>) => to.step(name, given, { headRows }),
    };
    (this.#isBackward ? this.#backward : this.#forward).push(step);
    this.#scratchBytes = Math.max(this.#scratchBytes, scratchBytes);
  }

  /**
   * Rows that the steps of inference in this graph work on. @throws OnebitError `train/bad-option` for a second number
   */
  setRows(rows: number): void {
    check("rows", rows, whole(1));
    if (this.#rows !== 1 && this.#rows !== rows)
      fail("train/bad-option", `setRows: wanted this graph's ${this.#rows} rows, got ${rows}`);
    this.#rows = rows;
  }

  /** The same for steps recorded with `headRows`: the positions of one sequence. */
  setSequenceLength(length: number): void {
    check("length", length, whole(1));
    if (this.#headRows !== undefined && this.#headRows !== length)
      fail("train/bad-option", `setSequenceLength: wanted this graph's ${this.#headRows}, got ${length}`);
    this.#headRows = length;
  }

  /** How the gradient of what was just recorded is recorded; called in reverse order, once every later step's is. */
  onBackward(record: () => void): void {
    this.#gradientRecorders.push(check<() => void>("record", record, FUNCTION));
  }

  /** The gradient that later steps left for `value`; undefined when it influences no seed. */
  gradientOf(value: Tensor): Tensor | undefined {
    return this.#gradients.get(check("value", value, TENSOR));
  }

  /** Where to put a share of the gradient of `value`, and whether to add to what is there. Undefined: not wanted. */
  gradientTarget(value: Tensor): GradientTarget | undefined {
    if (!check("value", value, TENSOR).needsGradient) return undefined;
    const known = this.#gradients.get(value);
    if (known) return { into: known, add: true };
    const parameter = this.#parameterOf.get(value);
    const into = parameter
      ? this.#fixedTensor(value.shape, false, parameter.gradientAddress)
      : new Tensor(value.shape, false);
    this.#gradients.set(value, into);
    return { into, add: parameter !== undefined };
  }

  /**
   * Plans memory and writes the programs.
   * @throws OnebitError `train/not-enough-memory` before anything is taken; `train/bad-option`, `option/…`
   */
  compile(options: CompileOptions): Graph {
    const { steps, lifetimes, places, totalBytes } = this.#layOut(options),
      programBytes = steps.length * abi.STEP_BYTES;
    const base = this.runtime.allocate(blockBytes(steps, totalBytes), "values of the graph");
    const values = Math.ceil((base + programBytes) / 64) * 64;
    lifetimes.forEach(({ tensor }, i) => (tensor.address = values + places[i]));
    this.runtime.reserveScratch(this.#scratchBytes);
    const writer = new StepWriter(this.runtime.memory, base, programBytes, addressOf);
    for (const step of steps) step.write(writer);
    const counts = {
      forward: this.#forward.length,
      backward: this.#backward.length,
      rows: this.#rows,
      headRows: this.#headRows,
    };
    return new Graph(this.runtime, base, counts, totalBytes, this.#gradients);
  }

  /** What `compile` would take, in its place. */
  measure(options: CompileOptions): GraphMemory {
    const { steps, totalBytes } = this.#layOut(options);
    return { blockBytes: blockBytes(steps, totalBytes), scratchBytes: this.#scratchBytes };
  }

  #layOut(options: CompileOptions): Layout {
    const {
      outputs,
      seeds = [],
      fromLoss = false,
      keepAll = false,
    } = checkOptions("compile", options, COMPILE_OPTIONS);
    const pinned = new Set([...this.#inputs, ...outputs, ...seeds]);
    for (const seed of seeds)
      pinned.add(
        this.gradientTarget(seed)?.into ??
          fail(
            "train/bad-option",
            "seeds: wanted a value that depends on a parameter, or on an input with needsGradient",
          ),
      );
    this.#isBackward = true;
    if (seeds.length > 0 || fromLoss) for (const record of this.#gradientRecorders.reverse()) record();
    for (const input of this.#inputs) {
      const gradient = this.#gradients.get(input);
      if (gradient) pinned.add(gradient);
    }
    const steps = [...this.#forward, ...this.#backward],
      all = { first: -1, last: steps.length };
    const lifetimes = this.#lifetimes(steps, pinned).map((lifetime) => (keepAll ? { ...lifetime, ...all } : lifetime));
    return { steps, lifetimes, ...placeLifetimes(lifetimes) };
  }

  #lifetimes(steps: readonly RecordedStep[], pinned: ReadonlySet<Tensor>): (Lifetime & { tensor: Tensor })[] {
    const found = new Map<Tensor, { tensor: Tensor; bytes: number; first: number; last: number }>();
    for (const tensor of pinned)
      if (!this.#fixed.has(tensor))
        found.set(tensor, { tensor, bytes: tensor.sizeBytes, first: -1, last: steps.length });
    steps.forEach(({ tensors }, at) => {
      for (const tensor of tensors) {
        if (this.#fixed.has(tensor)) continue;
        const lifetime = found.get(tensor);
        if (!lifetime) found.set(tensor, { tensor, bytes: tensor.sizeBytes, first: at, last: at });
        else lifetime.last = Math.max(lifetime.last, at);
      }
    });
    return [...found.values()];
  }
}

/**
 * A copy of the fields, each of the kind that its step has there. @throws OnebitError `option/invalid`,
 * `option/unknown`
 */
function checkFields<Name extends StepName>(name: Name, fields: StepFields<Name, Place>): StepFields<Name, Place> {
  const kinds = Object.entries(STEPS[check("name", name, STEP_NAME)].fields).map(([field, kind]) => [
    field,
    FIELD_KINDS[kind],
  ]);
  return checkOptions(name, fields, Object.fromEntries(kinds) as OptionTable<StepFields<Name, Place>>);
}

/** The tensors among a step's places. */
function tensorsOf<Name extends StepName>(name: Name, fields: StepFields<Name, Place>): Tensor[] {
  const values = fields as Readonly<Record<string, unknown>>;
  const places = Object.entries(STEPS[name].fields).flatMap(([field, kind]) =>
    kind === "address" ? [values[field] as Place] : [],
  );
  return places.flatMap((place) => (place === undefined ? [] : [place instanceof Tensor ? place : place.inside]));
}

function addressOf(place: Place): number {
  if (place === undefined) return 0;
  return place instanceof Tensor ? place.address : place.inside.address + place.offsetBytes;
}

interface Layout {
  readonly steps: readonly RecordedStep[];
  readonly lifetimes: readonly (Lifetime & { readonly tensor: Tensor })[];
  readonly places: readonly number[];
  readonly totalBytes: number;
}

/** Bytes of the program and of the values behind it, at the next multiple of 64. */
function blockBytes(steps: readonly RecordedStep[], valueBytes: number): number {
  return steps.length * abi.STEP_BYTES + 64 + valueBytes;
}

export const TAPE = kind<Tape>("a Tape", (value) => value instanceof Tape);
