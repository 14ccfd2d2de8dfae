/**
 * Checks that a configuration makes a model: the relations between its numbers that the kernels rely on.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { CONTEXT_LENGTH_MAX, CONVOLUTION_TAPS_MAX, LAYERS_MAX, MODEL_WIDTH_MAX } from "../core/limits.ts";
import { mixedWidthOf } from "./blocks.ts";
import type { ModelConfig } from "./config.ts";

/** One rule a line: the condition, and the message when it fails. */
const RULES: readonly (readonly [(config: ModelConfig) => boolean, (config: ModelConfig) => string])[] = [
  [(c) => c.nLayers <= LAYERS_MAX, (c) => `wanted at most ${LAYERS_MAX} layers, found ${c.nLayers}`],
  [
    (c) => Math.max(c.nEmbd, c.nFf, c.nHeads * c.headDim) <= MODEL_WIDTH_MAX,
    (c) => `wanted widths up to ${MODEL_WIDTH_MAX}, found ${c.nEmbd}, ${c.nFf}, ${c.nHeads}×${c.headDim}`,
  ],
  [
    (c) => isCount(c.contextLengthTrained) && c.contextLengthTrained <= CONTEXT_LENGTH_MAX,
    (c) => `wanted a context up to ${CONTEXT_LENGTH_MAX}, found ${c.contextLengthTrained}`,
  ],
  [
    (c) => Number.isInteger(c.headDim) && c.headDim % 4 === 0 && c.headDim > 0,
    (c) => `wanted a head size that is a multiple of 4, found ${c.headDim} (${c.nEmbd} over ${c.nHeads} heads)`,
  ],
  [(c) => c.nEmbd % 4 === 0, (c) => `wanted an embedding size that is a multiple of 4, found ${c.nEmbd}`],
  [(c) => c.nFf % 4 === 0, (c) => `wanted a feed-forward size that is a multiple of 4, found ${c.nFf}`],
  [
    (c) => isCount(c.nKvHeads) && c.nHeads % c.nKvHeads === 0,
    (c) => `wanted query heads in whole groups, found ${c.nHeads} over ${c.nKvHeads} key-value heads`,
  ],
  [
    (c) => c.ropeDim % 2 === 0 && c.ropeDim <= c.headDim,
    (c) => `wanted an even number of rotating dimensions up to ${c.headDim}, found ${c.ropeDim}`,
  ],
  [({ ropeAlpha = 1 }) => isPositive(ropeAlpha), ({ ropeAlpha }) => `wanted a positive alpha, found ${ropeAlpha}`],
  [
    ({ attentionScale: scale = 1 }) => isPositive(scale),
    ({ attentionScale }) => `wanted a positive scale of attention, found ${attentionScale}`,
  ],
  [
    ({ sliding }) => sliding === undefined || (isCount(sliding.positions) && isPositive(sliding.ropeTheta)),
    ({ sliding }) =>
      "wanted a window of whole positions and a positive rotary base of its layers, " +
      `found ${sliding?.positions} and ${sliding?.ropeTheta}`,
  ],
  [
    ({ sliding, nLayers }) => sliding === undefined || sliding.layers.length === nLayers,
    ({ sliding, nLayers }) => `wanted a pattern of windows for ${nLayers} layers, found ${sliding?.layers.length}`,
  ],
  [
    ({ deltaNet: net }) => net === undefined || (net.headDim % 4 === 0 && net.nTaps <= CONVOLUTION_TAPS_MAX),
    ({ deltaNet: net }) =>
      `wanted heads of a delta net in fours and at most ${CONVOLUTION_TAPS_MAX} taps, found ${net?.headDim} and ` +
      `${net?.nTaps}`,
  ],
  [
    ({ deltaNet: net }) => net === undefined || net.nValueHeads % net.nKeyHeads === 0,
    ({ deltaNet: net }) =>
      `wanted value heads in whole groups, found ${net?.nValueHeads} over ${net?.nKeyHeads} key heads`,
  ],
  [
    ({ deltaNet: net }) => net === undefined || mixedWidthOf(net) <= MODEL_WIDTH_MAX,
    ({ deltaNet: net }) => `wanted widths up to ${MODEL_WIDTH_MAX}, found ${net && mixedWidthOf(net)} in a delta net`,
  ],
  [(c) => c.normEps >= 0 && c.normEps < 1, (c) => `wanted a norm epsilon in [0, 1), found ${c.normEps}`],
  [
    (c) => c.ropeTheta > 0 && Number.isFinite(c.ropeTheta),
    (c) => `wanted a positive rotary base, found ${c.ropeTheta}`,
  ],
  [
    (c) => [c.embeddingScale, c.residualScale, c.logitScale].every((s) => Number.isFinite(s) && s !== 0),
    (c) => `wanted finite scales, found ${c.embeddingScale}, ${c.residualScale}, ${c.logitScale}`,
  ],
  [({ ropeScaling: s }) => s.kind === "none" || isPositive(s.factor), () => "wanted a positive rotary scaling factor"],
  [
    ({ ropeScaling: s }) => !("originalContext" in s) || isPositive(s.originalContext),
    ({ ropeScaling: s }) =>
      "wanted a positive original context of the rotary scaling, " +
      `found ${"originalContext" in s ? s.originalContext : "none"}`,
  ],
  [
    ({ ropeScaling: s }) => !("attentionFactor" in s) || isPositive(s.attentionFactor ?? 1),
    () => "wanted a positive attention factor of the rotary scaling",
  ],
  [
    ({ ropeScaling: s }) => s.kind !== "yarn" || isPositive(s.attentionScale),
    () => "wanted a positive attention factor of the rotary scaling",
  ],
  [
    ({ ropeScaling: s }) => s.kind !== "yarn" || (isPositive(s.betaFast) && isPositive(s.betaSlow)),
    () => "wanted positive turns (beta) of YaRN",
  ],
  [
    ({ ropeScaling: s }) => s.kind !== "llama3" || (isPositive(s.lowFreqFactor) && s.highFreqFactor > s.lowFreqFactor),
    () => "wanted a band of frequencies, low below high, for Llama 3's rotary scaling",
  ],
];

function isCount(n: number): boolean {
  return Number.isInteger(n) && n > 0;
}

function isPositive(n: number): boolean {
  return Number.isFinite(n) && n > 0;
}

/** @throws OnebitError `model/bad-config` */
export function checkConfig(config: ModelConfig): ModelConfig {
  for (const [holds, say] of RULES) {
    if (!holds(config)) fail("model/bad-config", `model "${config.name}": ${say(config)}`);
  }
  return config;
}
