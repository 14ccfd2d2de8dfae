/**
 * The architectures, as a table of what differs between graphs that are otherwise the same.
 *
 * Sources: arXiv 2504.12285 (BitNet b1.58 2B4T), Qwen3 technical report, MiniCPM (arXiv 2404.06395, depth and width
 * scales), and llama.cpp's graphs for the conventions of GGUF files (row order of q and k, key names).
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { ActivationMode } from "../kernels/choices.ts";

/** The function inside the feed-forward: SiLU (x · sigmoid x), squared ReLU, or GELU by its tanh formula. */
export type Activation = "silu" | "relu2" | "gelu";

/** A row of the table, and a part of each such model's configuration. */
export interface Architecture {
  /** Which two dimensions rotate together: 2i and 2i+1, or i and i + ropeDim/2. */
  readonly ropePairs: "adjacent" | "half";
  /** The function inside the feed-forward. */
  readonly activation: Activation;
  /** How activations are rounded where they meet 1-bit weights. */
  readonly activationMode: ActivationMode;
  /** RMS norm inside attention and feed-forward, before their output projections (BitNet). */
  readonly subNorms: boolean;
  /** RMS norm of each query and key head before rotation (Qwen3). */
  readonly qkNorm: boolean;
  /** That norm comes after rotation (Hunyuan). Default false. */
  readonly rotatesFirst?: boolean;
  /** RMS norm of what attention and feed-forward add to the stream (Gemma 3). Default false. */
  readonly postNorms?: boolean;
  /** Embeddings are multiplied by √nEmbd (Gemma). Default false. */
  readonly rootScale?: boolean;
  /** Some layers may see only the last positions, and rotate otherwise (Gemma 3). Default false. */
  readonly slides?: boolean;
  /** The file may raise the base of the rotary frequencies by an `alpha` (Hunyuan). Default false. */
  readonly raisesBase?: boolean;
  /** The head reuses the embedding table even when the file has an `output.weight`. */
  readonly alwaysTied: boolean;
  /** The file has `embedding_scale`, `residual_scale`, `logit_scale` (muP). */
  readonly scales: boolean;
  /** Gated delta nets and gated attention take turns (Qwen3.5). Undefined: attention alone. */
  readonly hybrid?: true;
}

const LLAMA = {
  ropePairs: "adjacent",
  activation: "silu",
  activationMode: "block",
  subNorms: false,
  qkNorm: false,
  alwaysTied: false,
  scales: false,
} satisfies Architecture;

const BITNET = {
  ropePairs: "half",
  activation: "relu2",
  activationMode: "token",
  subNorms: true,
  qkNorm: false,
  alwaysTied: true,
  scales: false,
} satisfies Architecture;

const HUNYUAN = {
  ...LLAMA,
  ropePairs: "half",
  qkNorm: true,
  rotatesFirst: true,
  raisesBase: true,
} satisfies Architecture;

const GEMMA3 = {
  ...LLAMA,
  ropePairs: "half",
  activation: "gelu",
  qkNorm: true,
  postNorms: true,
  rootScale: true,
  slides: true,
} satisfies Architecture;

const QWEN35 = { ...LLAMA, ropePairs: "half", qkNorm: true, hybrid: true } satisfies Architecture;

/** By `general.architecture`. */
const GGUF_ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  bitnet: { ...BITNET, activation: "silu" },
  "bitnet-b1.58": BITNET,
  "bitnet-25": BITNET,
  llama: LLAMA,
  gemma3: GEMMA3,
  "hunyuan-dense": HUNYUAN,
  minicpm: { ...LLAMA, scales: true },
  qwen2: { ...LLAMA, ropePairs: "half" },
  qwen3: { ...LLAMA, ropePairs: "half", qkNorm: true },
  qwen35: QWEN35,
};

/** By `model_type`. These files never permute the rows of q and k, so rotation is always half-split. */
const HF_ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  bitnet: BITNET,
  gemma3_text: GEMMA3,
  hunyuan_v1_dense: HUNYUAN,
  llama: { ...LLAMA, ropePairs: "half" },
  minicpm: { ...LLAMA, ropePairs: "half", scales: true },
  qwen2: { ...LLAMA, ropePairs: "half" },
  qwen3: { ...LLAMA, ropePairs: "half", qkNorm: true },
  qwen3_5: QWEN35,
  qwen3_5_text: QWEN35,
};

/** Hints for architectures people try, beyond "unknown". */
const HINTS: Readonly<Record<string, string>> = {
  gemma3: "a folder of its text model alone, gemma3_text, is supported",
};

/** @throws OnebitError `model/unsupported-architecture` naming it, with what is supported. */
export function ggufArchitecture(name: string): Architecture {
  return lookUp(GGUF_ARCHITECTURES, name, "general.architecture");
}

/** @throws OnebitError `model/unsupported-architecture` */
export function hfArchitecture(modelType: string): Architecture {
  return lookUp(HF_ARCHITECTURES, modelType, "model_type");
}

function lookUp(table: Readonly<Record<string, Architecture>>, name: string, key: string): Architecture {
  if (Object.hasOwn(table, name)) return table[name];
  const hint = Object.hasOwn(HINTS, name) ? ` (${HINTS[name]})` : "";
  return fail(
    "model/unsupported-architecture",
    `${key}: wanted one of ${Object.keys(table).join(", ")}; found ${quoted(name)}${hint}`,
  );
}
