/**
 * The base of every layer: named parameters, a mode, and a method that records it on a tape. Used alone, it keeps one
 * compiled graph, for the last shape it saw.
 *
 *   const layer = new BitLinear(512, 400);
 *   const y = layer.forward(x);          // (…, 512) → (…, 400)
 *   const dx = layer.backward(dy);       // adds to the gradients of layer.parameters()
 *   layer.close();
 *
 * @module
 */
import * as abi from "../../assembly/abi.ts";
import { fail } from "../core/errors.ts";
import { withMemoryNow } from "../core/refused-memory.ts";
import { OBJECT, type OptionTable, check, whole } from "../core/options.ts";
import { type IdArray, type NdArray, checkArray, checkIdArray } from "./nd-array.ts";
import { Parameter } from "./parameter.ts";
import { RUNTIME, Runtime } from "./runtime.ts";
import type { Graph } from "./graph.ts";
import { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/** What every layer takes. */
export interface LayerOptions {
  /** Where the layer computes. Default: one of its own, on the calling thread. */
  readonly runtime?: Runtime;
  /** Seed of the first weights and of dropout. Default 0. */
  readonly seed?: number;
}

export const LAYER_OPTIONS: OptionTable<LayerOptions> = { runtime: RUNTIME, seed: whole(0) };

/** Arrays by parameter name, matrices row-major (out, in). */
export type StateDict = Readonly<Record<string, NdArray>>;

/** A graph in memory with the values that are set and read. */
export interface RecordedGraph {
  /** The graph. */
  readonly graph: Graph;
  /** Set before it runs. */
  readonly input: Tensor;
  /** Read afterwards. */
  readonly outputs: readonly Tensor[];
}

/** Keeps the graph of the last key; a new key's graph replaces it. */
export class GraphSlot {
  #key: string | undefined;
  #recorded: RecordedGraph | undefined;

  get(key: string, record: () => RecordedGraph): RecordedGraph {
    if (this.#recorded !== undefined && this.#key === key) return this.#recorded;
    this.free();
    this.#recorded = record();
    this.#key = key;
    return this.#recorded;
  }

  free(): void {
    this.#recorded?.graph.free();
    this.#recorded = undefined;
  }
}

/**
 * What every layer is: parameters with names, a mode (training or eval), and a way to record itself on a tape.
 *
 * @example
 * ```ts
 * import { BitLinear, type Layer } from "onebit/nn";
 *
 * const layer: Layer = new BitLinear(4, 2, { seed: 1 }),
 *   copy = new BitLinear(4, 2);
 * for (const [name, { shape }] of layer.parameters()) console.log(name, shape);
 * copy.loadStateDict(layer.stateDict());
 * layer.close();
 * ```
 */
export abstract class Layer {
  /** Where it computes. */
  readonly runtime: Runtime;
  /** Of its first weights, and of dropout. */
  readonly seed: number;
  readonly #own = new Map<string, Parameter>();
  readonly #children = new Map<string, Layer>();
  readonly #blocks: number[] = [];
  readonly #slot = new GraphSlot();
  #ran: RecordedGraph | undefined;
  #isTraining = true;
  #isClosed = false;

  /** @param options checked by the table of the layer */
  constructor({ runtime, seed = 0 }: LayerOptions) {
    this.seed = seed;
    this.runtime = runtime ?? new Runtime();
  }

  /** Shape of what a value of `shape` becomes. @throws OnebitError `model/bad-shape` for an input that does not fit */
  abstract outputShape(shape: readonly number[]): readonly number[];

  /** Records the layer on a tape of its runtime. Values are matrices whose rows are all dimensions but the last. */
  abstract record(tape: Tape, x: Tensor): Tensor;

  /** A new parameter of this layer. */
  protected addParameter(name: string, shape: readonly number[]): Parameter {
    const parameter = new Parameter(this.runtime, name, shape);
    this.#own.set(name, parameter);
    return parameter;
  }

  /** A layer that this one is made of, on the same runtime; its parameters are this one's, as `name.parameter`. */
  protected addChild<L extends Layer>(name: string, child: L): L {
    this.#children.set(name, child);
    return child;
  }

  /** Memory that is freed with the layer. */
  protected addBlock(bytes: number, what: string): number {
    const address = this.runtime.allocate(bytes, what);
    this.#blocks.push(address);
    return address;
  }

  /** The layers it is made of, by name. */
  protected get children(): ReadonlyMap<string, Layer> {
    return this.#children;
  }

  /** Whether it is in training mode. */
  get isTraining(): boolean {
    return this.#isTraining;
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Every parameter by its name.
   * @throws OnebitError `model/closed`
   */
  parameters(): Map<string, Parameter> {
    this.requireOpen();
    const all = new Map(this.#own);
    for (const [prefix, child] of this.#children)
      for (const [name, parameter] of child.parameters()) all.set(`${prefix}.${name}`, parameter);
    return all;
  }

  /** Sets the gradients of all parameters to zero. */
  zeroGradients(): void {
    for (const parameter of this.parameters().values()) parameter.zeroGradient();
  }

  /**
   * Copies of all parameters.
   * @throws OnebitError `model/closed`, `train/not-enough-memory`
   */
  stateDict(): StateDict {
    return withMemoryNow("train/not-enough-memory", "copies of all parameters", () =>
      Object.fromEntries(
        [...this.parameters()].map(([name, { value, shape }]) => [name, { data: value.slice(), shape }]),
      ),
    );
  }

  /**
   * Sets all parameters.
   * @throws OnebitError `model/missing-tensor`, `model/bad-shape`, before any is set; `option/invalid`, `model/closed`
   */
  loadStateDict(state: StateDict): void {
    const parameters = this.parameters(),
      arrays = check(
        "state",
        state,
        (value, what, code): Readonly<Record<string, unknown>> => ({ ...OBJECT(value, what, code) }),
      );
    for (const [name, { shape }] of parameters) {
      const found = checkArray(
        arrays[name] ??
          fail(
            "model/missing-tensor",
            `state: wanted "${name}" (${shape.join(" × ")}), found ${Object.keys(arrays).join(", ") || "nothing"}`,
          ),
        `"${name}"`,
      );
      if (found.shape.join() !== shape.join())
        fail("model/bad-shape", `"${name}": wanted ${shape.join(" × ")}, got ${found.shape.join(" × ")}`);
    }
    const unknown = Object.keys(arrays).filter((name) => !parameters.has(name));
    if (unknown.length > 0) fail("model/missing-tensor", `state: no parameter is named ${unknown.join(", ")}`);
    for (const [name, parameter] of parameters) parameter.set((arrays[name] as NdArray).data);
  }

  /**
   * Drops values where there is dropout, and keeps what `backward` needs: the mode of a new layer.
   * @throws OnebitError `model/closed`; `option/invalid` for a packed layer
   */
  train(): this {
    return this.#setMode(true);
  }

  /**
   * Drops nothing, needs less memory, and has no `backward`.
   * @throws OnebitError `model/closed`
   */
  eval(): this {
    return this.#setMode(false);
  }

  #setMode(isTraining: boolean): this {
    this.requireOpen();
    this.#isTraining = isTraining;
    for (const child of this.#children.values()) child.#setMode(isTraining);
    return this;
  }

  /** Called before each forward pass: dropout takes its next masks. */
  beginPass(): void {
    for (const child of this.#children.values()) child.beginPass();
  }

  /**
   * @internal
   * One forward pass over values whose address the recorded input has.
   */
  protected run(shape: readonly number[], fill: (recorded: RecordedGraph) => void): NdArray {
    this.requireOpen();
    const outShape = this.outputShape(shape);
    return withMemoryNow("train/not-enough-memory", `a forward pass over ${shape.join(" × ")}`, () => {
      const recorded = this.#slot.get(`${this.#isTraining} ${shape.join()}`, () => this.#recordAlone(shape));
      fill(recorded);
      this.beginPass();
      recorded.graph.forward();
      this.#ran = recorded;
      return { data: recorded.graph.f32(recorded.outputs[0]).slice(), shape: outShape };
    });
  }

  #recordAlone(shape: readonly number[]): RecordedGraph {
    this.#ran = undefined;
    const tape = new Tape(this.runtime, { gradients: this.#isTraining });
    const input = tape.input(shape, { needsGradient: this.#isTraining && this.hasInputGradient }),
      output = this.record(tape, input);
    return {
      graph: tape.compile({ outputs: [output], seeds: this.#isTraining && output.needsGradient ? [output] : [] }),
      input,
      outputs: [output],
    };
  }

  /** True if the input is floats. */
  protected abstract readonly hasInputGradient: boolean;

  /**
   * @internal
   * The backward pass of the last forward pass.
   */
  protected runBackward(given: NdArray): RecordedGraph {
    this.requireOpen();
    const ran = this.#ran;
    if (!this.#isTraining) fail("train/bad-option", "backward: the layer is in eval mode; call train() before forward");
    if (!ran)
      return fail("train/bad-option", "backward: wanted a forward pass first; call forward before each backward");
    const dy = checkArray(given, "gradient of the output"),
      wanted = ran.outputs[0].size;
    if (dy.data.length !== wanted)
      fail(
        "model/bad-shape",
        `gradient of the output: wanted the output's ${wanted} numbers, got ${dy.shape.join(" × ")}`,
      );
    withMemoryNow("train/not-enough-memory", "a backward pass", () => {
      ran.graph.gradient(ran.outputs[0]).set(dy.data);
      ran.graph.backward();
    });
    this.#ran = undefined;
    return ran;
  }

  /** Gives the memory of parameters and graphs back to the runtime. Nothing of the layer works afterwards. */
  close(): void {
    if (this.#isClosed) return;
    this.#slot.free();
    this.#ran = undefined;
    for (const child of this.#children.values()) child.close();
    for (const parameter of this.#own.values()) parameter.free();
    for (const block of this.#blocks) this.runtime.free(block);
    this.#isClosed = true;
  }

  /** {@link Layer.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @throws OnebitError `model/closed` after `close` */
  protected requireOpen(): void {
    if (this.#isClosed) fail("model/closed", "this layer is closed");
  }
}

/**
 * A layer of floats. Extend it for one of your own: say its shape, and record its operations.
 *
 * @example
 * ```ts
 * import { ArrayLayer, type Tape, type Tensor, array, ops } from "onebit/nn";
 *
 * class Twice extends ArrayLayer {
 *   outputShape(shape: readonly number[]) {
 *     return shape;
 *   }
 *   record(tape: Tape, x: Tensor) {
 *     return ops.add(tape, x, x);
 *   }
 * }
 * const layer = new Twice({});
 * console.log(layer.forward(array([1, 2])).data, layer.backward(array([1, 1])).data); // 2, 4 and 2, 2
 * ```
 */
export abstract class ArrayLayer extends Layer {
  /** @internal */
  protected readonly hasInputGradient = true;

  /**
   * The output, copied out of the runtime's memory.
   * @throws OnebitError `model/bad-shape`, `model/closed`, `train/not-enough-memory`, `option/invalid`
   */
  forward(x: NdArray): NdArray {
    const { data, shape } = checkArray(x, "input");
    return this.run(shape, ({ graph, input }) => graph.f32(input).set(data));
  }

  /**
   * The gradient of the input, from that of the output of the last `forward`; those of parameters are added to.
   * @throws OnebitError `train/bad-option` without a forward pass in training mode, `model/bad-shape`, `model/closed`
   */
  backward(dy: NdArray): NdArray {
    const { graph, input } = this.runBackward(dy);
    return {
      data: withMemoryNow("train/not-enough-memory", "the gradient of the input", () => graph.gradient(input).slice()),
      shape: input.shape,
    };
  }
}

/**
 * A layer whose input is ids of tokens, below `numTokens`.
 *
 * @example
 * ```ts
 * import { IdLayer, type Tape, type Tensor, ids, ops } from "onebit/nn";
 *
 * class Table extends IdLayer {
 *   readonly numTokens = 4;
 *   readonly #table = this.addParameter("table", [4, 2]);
 *   outputShape(shape: readonly number[]) {
 *     return [...shape, 2];
 *   }
 *   record(tape: Tape, x: Tensor) {
 *     return ops.embed(tape, x, tape.parameter(this.#table));
 *   }
 * }
 * console.log(new Table({}).forward(ids([0, 3])).shape); // 1, 2, 2
 * ```
 */
export abstract class IdLayer extends Layer {
  /** @internal */
  protected readonly hasInputGradient = false;
  /** Ids are below it. */
  abstract readonly numTokens: number;

  /**
   * The output, copied out of the runtime's memory.
   * @throws OnebitError `model/bad-token`, `model/bad-shape`, `model/closed`, `train/not-enough-memory`,
   *   `option/invalid`
   */
  forward(x: IdArray): NdArray {
    const { data, shape } = this.requireIds(x);
    return this.run(shape, ({ graph, input }) => graph.i32(input).set(data));
  }

  /**
   * Adds to the gradients of parameters.
   * @param dy gradient of the output of the last `forward`
   * @throws OnebitError as {@link ArrayLayer.backward}
   */
  backward(dy: NdArray): void {
    this.runBackward(dy);
  }

  /**
   * Ids that were looked at.
   * @throws OnebitError `model/bad-token`, `model/bad-shape`, `option/invalid`
   */
  protected requireIds(x: IdArray): IdArray {
    const found = checkIdArray(x, "ids"),
      bad = found.data.find((id) => !Number.isInteger(id) || id < 0 || id >= this.numTokens);
    if (bad !== undefined) fail("model/bad-token", `ids: wanted whole numbers in 0…${this.numTokens - 1}, got ${bad}`);
    return found;
  }
}

/** The seed of part `i` of a layer with this seed. */
export function partSeed(seed: number, i: number): number {
  return (seed * 8191 + i + 1) % Number.MAX_SAFE_INTEGER;
}

/** Copies the parameters both layers have. */
export function copyParameters(from: Layer, to: Layer): void {
  const values = from.parameters();
  for (const [name, parameter] of to.parameters()) parameter.set(values.get(name)!.value);
}

/** Writes dropout's seed and switch to memory. */
export function writeDropoutState(runtime: Runtime, address: number, seed: number, isActive: boolean): void {
  const state = new DataView(runtime.memory.buffer, address, abi.DROPOUT_BYTES);
  state.setUint32(abi.DROPOUT_SEED, seed >>> 0, true);
  state.setUint32(abi.DROPOUT_ACTIVE, Number(isActive), true);
}
