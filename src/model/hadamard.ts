/**
 * Weights that were rotated before they became 1-bit, and whose inputs are therefore rotated while the model runs
 * (assembly/ops/hadamard.ts): the keys `prism.hadamard.…` of GGUF files. Run without, such a model writes fluent
 * nonsense; so whatever these keys ask for is done or refused.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { MODEL_WIDTH_MAX } from "../core/limits.ts";
import {
  type GgufMetadata,
  findBoolean,
  findStringArray,
  getInteger,
  getNumberArray,
  getString,
  getStringArray,
} from "../files/gguf-metadata.ts";
import { GGUF_ENDS } from "./blocks.ts";
import type { Hadamard, ModelConfig } from "./config.ts";

const PREFIX = "prism.hadamard.";
/** The kernel's vectors. */
const BLOCK_MIN = 4;

/** Undefined for a file without a version: its other keys, if any, are refused as unread. */
export function hadamardFromGguf(metadata: GgufMetadata): Hadamard | undefined {
  if (!metadata.has(`${PREFIX}version`)) return undefined;
  const key = (suffix: string) => PREFIX + suffix,
    isHeadTied = findBoolean(metadata, key("tied_output")) ?? false,
    version = getInteger(metadata, key("version"));
  if (version !== (isHeadTied ? 2 : 1))
    bad("version", `${isHeadTied ? 2 : 1} ${isHeadTied ? "with" : "without"} tied_output`, String(version));
  requireText(metadata, "transform", "normalized-sylvester-walsh-hadamard");
  requireText(metadata, "axis", "input-last-dimension");
  const block = getInteger(metadata, key("block_size"));
  if (block < BLOCK_MIN || block > MODEL_WIDTH_MAX || (block & (block - 1)) !== 0)
    bad("block_size", `a power of two from ${BLOCK_MIN} on`, String(block));
  const weights = getStringArray(metadata, key("weight_names")),
    tables = findStringArray(metadata, key("inverse_weight_names")) ?? [],
    strange = tables.find((name) => name !== GGUF_ENDS.tokenEmbd);
  if (weights.length === 0) bad("weight_names", "names of tensors", "none");
  if (strange !== undefined) bad("inverse_weight_names", `only "${GGUF_ENDS.tokenEmbd}"`, quoted(strange));
  if (isHeadTied && tables.length === 0)
    bad("inverse_weight_names", `"${GGUF_ENDS.tokenEmbd}" with tied_output`, "nothing");
  return {
    block,
    signs: signsOf(metadata),
    weights,
    isEmbeddingRotated: tables.length > 0,
    isHeadTied,
    groupsValues: findBoolean(metadata, key("gdn_v_grouped")) ?? false,
  };
}

/** One vector of signs a width, one after another. */
function signsOf(metadata: GgufMetadata): Hadamard["signs"] {
  const mode = getString(metadata, `${PREFIX}sign_mode`);
  if (mode === "identity") return undefined;
  if (mode !== "explicit") bad("sign_mode", '"identity" or "explicit"', quoted(mode));
  const widths = Array.from<number>(getNumberArray(metadata, `${PREFIX}sign_widths`)),
    values = Array.from<number>(getNumberArray(metadata, `${PREFIX}sign_values`)),
    total = widths.reduce((sum, width) => sum + width, 0);
  if (widths.some((width) => width < 1) || new Set(widths).size !== widths.length)
    bad("sign_widths", "widths, each once", widths.slice(0, 8).join(", "));
  if (values.length !== total) bad("sign_values", `the ${total} of sign_widths`, String(values.length));
  const strange = values.find((value) => value !== 1 && value !== -1);
  if (strange !== undefined) bad("sign_values", "1 and −1", String(strange));
  let at = 0;
  return Object.fromEntries(widths.map((width) => [width, values.slice(at, (at += width))]));
}

function requireText(metadata: GgufMetadata, suffix: string, wanted: string): void {
  const found = getString(metadata, PREFIX + suffix);
  if (found !== wanted) bad(suffix, `"${wanted}"`, quoted(found));
}

function bad(suffix: string, wanted: string, found: string): never {
  return fail("model/bad-config", `metadata key "${PREFIX}${suffix}": wanted ${wanted}; found ${found}`);
}

interface Matrix {
  readonly tensor: { readonly name: string };
  /** Inputs. */
  readonly k: number;
}

/** The matrices of a model that rotations may concern. */
interface RotatedMatrices {
  readonly tokenEmbd: Matrix;
  readonly output: Matrix | undefined;
  /** Those with a norm of their own input have `normIn`. */
  readonly linears: readonly { readonly matrix: Matrix; readonly normIn: unknown }[];
}

/**
 * Checks that all that is to be rotated can be.
 * @param isUnused true for a tensor of a part that does not run
 * @throws OnebitError `model/bad-config` naming the tensor
 */
export function checkRotations(
  { hadamard }: ModelConfig,
  { tokenEmbd, output, linears }: RotatedMatrices,
  isUnused: (name: string) => boolean,
): void {
  if (hadamard === undefined) return;
  const matrices = [...linears.map(({ matrix }) => matrix), ...(output ? [output] : [])],
    byName = new Map(matrices.map((matrix) => [matrix.tensor.name, matrix]));
  for (const name of hadamard.weights) {
    const matrix = byName.get(name);
    if (matrix !== undefined) checkWidth(hadamard, matrix);
    else if (!isUnused(name)) refuse(name, "a matrix of the graph whose input it can rotate", "none");
  }
  const names = new Set(hadamard.weights),
    normed = linears.find(({ matrix, normIn }) => normIn !== undefined && names.has(matrix.tensor.name));
  if (normed !== undefined) refuse(normed.matrix.tensor.name, "no norm of its own input", "one");
  if (hadamard.isEmbeddingRotated) checkWidth(hadamard, tokenEmbd);
  if (hadamard.isHeadTied && output !== undefined)
    refuse(output.tensor.name, "no head of its own with prism.hadamard.tied_output", "one");
  if (hadamard.isEmbeddingRotated && !hadamard.isHeadTied && output === undefined)
    refuse(tokenEmbd.tensor.name, "prism.hadamard.tied_output for a rotated table that is also the head", "none");
}

function checkWidth({ block, signs }: Hadamard, { tensor: { name }, k }: Matrix): void {
  if (k % block !== 0) refuse(name, `inputs in whole blocks of ${block}`, String(k));
  if (signs !== undefined && !Object.hasOwn(signs, k)) refuse(name, `signs of its width ${k}`, "none");
}

function refuse(name: string, wanted: string, found: string): never {
  return fail("model/bad-config", `tensor ${quoted(name)}, which ${PREFIX}… rotates: wanted ${wanted}; found ${found}`);
}
