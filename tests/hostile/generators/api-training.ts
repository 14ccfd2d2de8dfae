/** Entries of `onebit/train`. No training takes a step: those of odd options may have a thousand million. */
import { BitNetTransformer } from "../../../src/nn.ts";
import { GGUF_EXPORT_OPTIONS } from "../../../src/train/export-gguf.ts";
import { LAYER_EXPORT_OPTIONS } from "../../../src/train/export-layer.ts";
import { SAFETENSORS_EXPORT_OPTIONS } from "../../../src/train/export-safetensors.ts";
import { RECIPE_OPTIONS } from "../../../src/train/options.ts";
import * as training from "../../../src/train.ts";
import { memoryPlatform } from "../../model/memory-platform.ts";
import { bytesSource } from "../../../src/core/byte-source.ts";
import type { ApiEntry } from "./api.ts";

const text = new TextEncoder().encode("She sells sea shells by the sea shore.\n".repeat(20));
const platform = { ...memoryPlatform({}), spawnThread: undefined };
const SMALL = {
  preset: "tiny",
  dim: 16,
  heads: 2,
  kvHeads: 1,
  ffHidden: 16,
  depth: 1,
  batch: 1,
  seqLength: 8,
  threads: 1,
  platform,
} as const;
const NAMES = Object.keys(RECIPE_OPTIONS),
  RUN_NAMES = [...NAMES, "text", "threads", "folder", "resume", "name", "sampler", "samplePrompt", "signal"];
const CURVE = {
  name: "loss",
  points: [
    [1, 2],
    [2, 1],
  ],
};

type Call = (...args: never[]) => unknown;
const call = (name: string, run: Call, args: () => readonly unknown[], names?: readonly string[]): ApiEntry => ({
  name,
  args,
  ...(names ? { options: { at: args().length - 1, names } } : {}),
  run: (given) => run(...(given as never[])),
});

let opened: Promise<training.Training> | undefined;
const open = (): Promise<training.Training> => (opened ??= training.openTraining({ ...SMALL, text }));
let layer: BitNetTransformer | undefined;
const transformer = (): BitNetTransformer =>
  (layer ??= new BitNetTransformer({ numTokens: 256, dim: 128, depth: 1, heads: 2 }));
const recipe = (): object => training.resolveOptions({ preset: "tiny" }).recipe;

export const TRAINING_ENTRIES: readonly ApiEntry[] = [
  call(
    "resolveOptions",
    (options: object) => training.resolveOptions(options),
    () => [{ preset: "tiny" }],
    NAMES,
  ),
  // A folder is refused by a platform without files; a text is learned from when the training is iterated.
  call(
    "openTraining",
    async (options: training.TrainOptions) => (await training.openTraining(options)).close(),
    () => [{ ...SMALL, text }],
    RUN_NAMES,
  ),
  call(
    "train",
    training.train as Call,
    () => [{ ...SMALL, text, steps: 1 }],
    RUN_NAMES.filter((name) => !["steps", "warmupSteps"].includes(name)).concat("onEvent"),
  ),
  call("planTraining", training.planTraining as Call, () => [recipe(), { threads: 1 }], ["threads", "platform"]),
  call("defaultThreads", training.defaultThreads as Call, () => [recipe(), platform]),
  call(
    "training.gguf",
    async (options: object) => (await open()).gguf(options),
    () => [{}],
    Object.keys(GGUF_EXPORT_OPTIONS),
  ),
  call(
    "training.safetensors",
    async (options: object) => (await open()).safetensors(options),
    () => [{}],
    Object.keys(SAFETENSORS_EXPORT_OPTIONS),
  ),
  call(
    "training.validate",
    async (windows: number) => (await open()).validate(windows),
    () => [1],
  ),
  call(
    "transformerGguf",
    training.transformerGguf as Call,
    () => [transformer(), {}],
    Object.keys(LAYER_EXPORT_OPTIONS),
  ),
  call("ggufArchitectureOf", training.ggufArchitectureOf as Call, () => [transformer().shape]),
  call("readTextFile", training.readTextFile as Call, () => [bytesSource(text), {}], ["maxBytes", "signal"]),
  call("lossPlotSvg", training.lossPlotSvg as Call, () => [[CURVE], { title: "loss" }], [
    "title",
    "xLabel",
    "yLabel",
    "description",
    "width",
    "height",
    "id",
  ]),
  call("lossPlotText", training.lossPlotText as Call, () => [[CURVE], { width: 40, height: 8 }], [
    "width",
    "height",
    "color",
  ]),
  call("parseMetrics", training.parseMetrics as Call, () => ['{"step":1,"tokens":2,"elapsedMs":3}\n', "log"]),
  call("lossCurves", training.lossCurves as Call, () => [[{ step: 1, tokens: 1, elapsedMs: 1, trainLoss: 1 }]]),
  call("estimateLeftMs", training.estimateLeftMs as Call, () => [1, 2, 3]),
  call("formatTrainingProgress", training.formatTrainingProgress as Call, () => [{ step: 1, totalSteps: 2 }], [
    "step",
    "totalSteps",
    "loss",
    "validationLoss",
    "tokensPerSecond",
    "etaMs",
  ]),
];
