/** Entries of `onebit/nn`. */
import { BIT_FEED_FORWARD_OPTIONS } from "../../../src/nn/bit-feed-forward.ts";
import { BIT_LINEAR_OPTIONS } from "../../../src/nn/bit-linear.ts";
import { BIT_MGQA_OPTIONS } from "../../../src/nn/bit-mgqa.ts";
import { BIT_NET_TRANSFORMER_OPTIONS } from "../../../src/nn/bit-net-transformer.ts";
import { ADAM_W_OPTIONS, RATES } from "../../../src/nn/adam-w.ts";
import { GENERATE_OPTIONS } from "../../../src/nn/generate-ids.ts";
import * as nn from "../../../src/nn.ts";
import { LAYER_OPTIONS } from "../../../src/nn/layer.ts";
import { NORM_OPTIONS, RMS_NORM_OPTIONS } from "../../../src/nn/norm-layers.ts";
import { REPLACE_OPTIONS } from "../../../src/nn/replace-linears.ts";
import type { ApiEntry } from "./api.ts";

const SMALL = { numTokens: 16, dim: 16, depth: 1, heads: 2 };
const WIDTH = 16;

interface Made {
  readonly runtime: nn.Runtime;
  readonly linear: nn.BitLinear;
  readonly attention: nn.BitMGQA;
  readonly transformer: nn.BitNetTransformer;
  readonly loss: nn.CrossEntropyLoss;
}

let made: Made | undefined;
/** Less than an input may hold: what asks for 2 GB is refused, where a runtime without a limit would give it. */
const RUNTIME_BYTES = 48 * 2 ** 20;
/** Layers share a runtime: each of its own would reserve 4 GB of addresses. */
function things(): Made {
  if (made) return made;
  const runtime = new nn.Runtime({ memoryLimitBytes: RUNTIME_BYTES });
  return (made = {
    runtime,
    linear: new nn.BitLinear(WIDTH, 4, { runtime }),
    attention: new nn.BitMGQA(WIDTH, 2, 1, { runtime, causal: true }),
    transformer: new nn.BitNetTransformer({ ...SMALL, runtime }),
    loss: new nn.CrossEntropyLoss({ runtime }),
  });
}

const x = (...shape: number[]): nn.NdArray =>
  nn.array(new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5), shape);
const names = (table: object): string[] => Object.keys(table);
type Call = (...args: never[]) => unknown;
type Constructor = new (...args: never[]) => { close?(): unknown };

/** A layer that is made, run once, and closed. */
function layer(name: keyof typeof nn, args: readonly unknown[], table: object): ApiEntry {
  return {
    name: `new ${name}`,
    args: () => [...args.slice(0, -1), { ...(args.at(-1) as object), runtime: things().runtime }],
    options: { at: args.length - 1, names: names(table) },
    run: (given) => new (nn[name] as Constructor)(...(given as never[])).close?.(),
  };
}

function call(name: string, run: Call, args: () => readonly unknown[], table?: object): ApiEntry {
  return {
    name,
    args,
    ...(table ? { options: { at: args().length - 1, names: names(table) } } : {}),
    run: (given) => run(...(given as never[])),
  };
}

/** A method of something that `of` makes. */
function method(name: string, of: () => object, args: () => readonly unknown[], table?: object): ApiEntry {
  const key = name.slice(name.lastIndexOf(".") + 1);
  return call(name, (...given) => (of() as Readonly<Record<string, Call>>)[key](...given), args, table);
}

const LAYERS: readonly ApiEntry[] = [
  layer("BitLinear", [WIDTH, 4, {}], BIT_LINEAR_OPTIONS),
  layer("BitFeedForward", [WIDTH, {}], BIT_FEED_FORWARD_OPTIONS),
  layer("BitMGQA", [WIDTH, 2, 1, {}], BIT_MGQA_OPTIONS),
  layer("BitNetTransformer", [SMALL], BIT_NET_TRANSFORMER_OPTIONS),
  layer("RMSNorm", [WIDTH, {}], RMS_NORM_OPTIONS),
  layer("LayerNorm", [WIDTH, {}], NORM_OPTIONS),
  layer("Dropout", [0.5, {}], LAYER_OPTIONS),
  layer("Embedding", [8, WIDTH, {}], LAYER_OPTIONS),
  layer("CrossEntropyLoss", [{}], { runtime: 0 }),
  call(
    "new Sequential",
    (...args: never[]) => new (nn.Sequential as Constructor)(...args),
    () => [[things().linear]],
  ),
  call(
    "new Parameter",
    (...args: never[]) => new (nn.Parameter as unknown as new (...args: never[]) => nn.Parameter)(...args).free(),
    () => [things().runtime, "name", [2, 2]],
  ),
  call(
    "new Runtime",
    (...args: never[]) =>
      new (nn.Runtime as unknown as new (...args: never[]) => nn.Runtime)(...(args.slice(0, 1) as never[])).close(),
    () => [{}],
    { memoryLimitBytes: 0 },
  ),
  call(
    "Runtime.open",
    (options: object) => nn.Runtime.open(options).then((runtime) => runtime.close()),
    () => [{ threads: 1 }],
    { threads: 0, platform: 0, memoryLimitBytes: 0 },
  ),
  call(
    "AdamW.of",
    (parameters: never, options: object) => nn.AdamW.of(parameters, options).close(),
    () => [things().linear.parameters().values(), {}],
    ADAM_W_OPTIONS,
  ),
  call(
    "new AdamW",
    (...args: never[]) => new (nn.AdamW as unknown as new (...args: never[]) => nn.AdamW)(...args).close(),
    () => [things().runtime, [{ values: 4096, gradients: 4096, count: 1, decays: true }], {}],
    ADAM_W_OPTIONS,
  ),
];

const METHODS: readonly ApiEntry[] = [
  call("array", nn.array as Call, () => [[1, 2], [2]]),
  call("ids", nn.ids as Call, () => [
    [1, 2],
    [1, 2],
  ]),
  call(
    "replaceLinears",
    ((model: never, options: object) => nn.replaceLinears(model, options)) as Call,
    () => [{ "a.weight": x(4, WIDTH) }, { runtime: things().runtime }],
    REPLACE_OPTIONS,
  ),
  method(
    "linear.forward",
    () => things().linear,
    () => [x(2, WIDTH)],
  ),
  method(
    "linear.outputShape",
    () => things().linear,
    () => [[2, WIDTH]],
  ),
  call(
    "linear.backward",
    (dy: never) => (things().linear.forward(x(2, WIDTH)), things().linear.backward(dy)),
    () => [x(2, 4)],
  ),
  method(
    "linear.loadStateDict",
    () => things().linear,
    () => [things().linear.stateDict()],
  ),
  call(
    "parameter.set",
    (values: never) => things().linear.weight.set(values),
    () => [new Float32Array(4 * WIDTH)],
  ),
  method(
    "attention.forward",
    () => things().attention,
    () => [x(1, 2, WIDTH)],
  ),
  method(
    "attention.forwardWithWeights",
    () => things().attention,
    () => [x(1, 2, WIDTH)],
  ),
  call(
    "attention.createCache",
    (...args: never[]) =>
      things()
        .attention.createCache(...args)
        .close(),
    () => [1, 8],
  ),
  method(
    "attention.step",
    () => things().attention,
    () => [x(1, 1, WIDTH), things().attention.createCache(1, 4)],
  ),
  call(
    "cache.truncate",
    (position: never) => things().attention.createCache(1, 4).truncate(position),
    () => [0],
  ),
  method(
    "transformer.forward",
    () => things().transformer,
    () => [nn.ids([1, 2])],
  ),
  method(
    "transformer.generate",
    () => things().transformer,
    () => [[1, 2], { maxTokens: 2 }],
    GENERATE_OPTIONS,
  ),
  method(
    "transformer.step",
    () => things().transformer,
    () => [nn.ids([1]), things().transformer.createCache(1, 4)],
  ),
  method(
    "transformer.weightCodes",
    () => things().transformer,
    () => ["blk.0.attn_q.weight"],
  ),
  method(
    "loss.compute",
    () => things().loss,
    () => [x(2, 4), nn.ids([1, 2])],
  ),
  call(
    "adamW.step",
    (rates: never) => {
      const optimizer = nn.AdamW.of(things().linear.parameters().values());
      try {
        return optimizer.step(rates);
      } finally {
        optimizer.close();
      }
    },
    () => [{ learningRate: 0.1, weightDecay: 0 }],
    RATES,
  ),
  call(
    "runtime.allocate",
    (...args: never[]) =>
      things().runtime.free((things().runtime.allocate as Call).apply(things().runtime, args) as number),
    () => [64, "room"],
  ),
  ...["f32", "f64", "i32"].map((name) =>
    method(
      `runtime.${name}`,
      () => things().runtime,
      () => [4096, 2],
    ),
  ),
];

const tape = (): nn.Tape => new nn.Tape(things().runtime);
const tensor = (...shape: number[]): nn.Tensor => new nn.Tensor(shape, false);
const operation = (name: keyof typeof nn.ops, ...rest: (() => unknown)[]): ApiEntry =>
  call(`ops.${name}`, nn.ops[name] as Call, () => [tape(), ...rest.map((make) => make())]);
const matrix = (): nn.Tensor => tensor(4, WIDTH),
  vector = (): nn.Tensor => tensor(WIDTH),
  value = (of: unknown) => () => of;

const GRAPHS: readonly ApiEntry[] = [
  call(
    "new Tape",
    (...args: never[]) => new (nn.Tape as unknown as new (...args: never[]) => nn.Tape)(...args),
    () => [things().runtime, {}],
    { gradients: 0 },
  ),
  call(
    "new Tensor",
    (...args: never[]) => new (nn.Tensor as unknown as new (...args: never[]) => nn.Tensor)(...args),
    () => [[2], false, 4],
  ),
  method("tape.input", tape, () => [[2], {}], { needsGradient: 0 }),
  method("tape.value", tape, () => [[2], false, 4]),
  method("tape.parameter", tape, () => [things().linear.weight]),
  method("tape.at", tape, () => [64, [2]]),
  ...["setRows", "setSequenceLength"].map((name) => method(`tape.${name}`, tape, () => [2])),
  ...["gradientOf", "gradientTarget"].map((name) => method(`tape.${name}`, tape, () => [vector()])),
  method("tape.onBackward", tape, () => [() => {}]),
  method("tape.step", tape, () => ["zero", { x: vector(), total: 4 }]),
  call(
    "tape.compile",
    (options: never) => tape().compile(options).free(),
    () => [{ outputs: [vector()] }],
    { outputs: 0, seeds: 0, fromLoss: 0, keepAll: 0 },
  ),
  method("tape.measure", tape, () => [{ outputs: [vector()] }], { outputs: 0, seeds: 0, fromLoss: 0, keepAll: 0 }),
  ...["f32", "i32", "gradient"].map((name) =>
    method(
      `graph.${name}`,
      () => tape().compile({ outputs: [vector()] }),
      () => [vector()],
    ),
  ),
  operation("embed", vector, matrix),
  operation("linear", matrix, matrix, vector),
  operation("quantizeActivations", matrix, value(8)),
  operation("quantizeWeights", matrix, value(1.58)),
  operation(
    "product",
    value({ rows: 4, columns: WIDTH, source: matrix() }),
    value({ rows: 4, columns: WIDTH, source: matrix() }),
  ),
  operation("addBias", matrix, vector),
  operation("rmsNorm", matrix, vector, value(1e-5)),
  operation("layerNorm", matrix, vector, vector, value(1e-5)),
  operation("activate", value("silu"), matrix),
  operation("gate", value("silu"), matrix, matrix),
  operation("add", matrix, matrix),
  operation("dropout", matrix, value(0.5), value({ address: 64 }), value(1)),
  operation("rotate", matrix, value({ cos: 64, sin: 64 }), value(4), value(8)),
  operation(
    "attention",
    matrix,
    matrix,
    matrix,
    value({ length: 4, nHeads: 2, nKvHeads: 2, headDim: 8, causal: true }),
  ),
  operation("crossEntropy", matrix, vector, value(1)),
];

export const LAYER_ENTRIES: readonly ApiEntry[] = [...LAYERS, ...METHODS, ...GRAPHS];
