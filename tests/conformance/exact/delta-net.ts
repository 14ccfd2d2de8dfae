/**
 * Gated delta nets (arXiv 2412.06464) and the rotation of weights, as the models of `qwen35` have them, one position
 * after another in double precision.
 */
import type { GgufWeights } from "./gguf-weights.ts";
import type { Rows } from "./linear.ts";

interface DeltaNetSizes {
  readonly nKeyHeads: number;
  readonly nValueHeads: number;
  readonly dim: number;
  readonly nTaps: number;
}

function deltaNetSizes(weights: GgufWeights): DeltaNetSizes {
  const number = (key: string) => Number(weights.metadata(`qwen35.ssm.${key}`));
  return {
    nKeyHeads: number("group_count"),
    nValueHeads: number("time_step_rank"),
    dim: number("state_size"),
    nTaps: number("conv_kernel"),
  };
}

/** Whether a layer keeps a state; the list wins over the interval. */
export function isRecurrent(weights: GgufWeights, layer: number): boolean {
  const list = weights.metadata("qwen35.attention.recurrent_layers");
  if (Array.isArray(list)) return list[layer] === true;
  return (layer + 1) % Number(weights.metadata("qwen35.full_attention_interval") ?? 4) !== 0;
}

/** The inputs of a delta net, each (positions, …). */
export interface DeltaNetRows {
  readonly qkv: Rows;
  readonly z: Rows;
  readonly alpha: Rows;
  readonly beta: Rows;
}

/** What the projection behind it reads. */
export async function deltaNet(
  weights: GgufWeights,
  prefix: string,
  { qkv, z, alpha, beta }: DeltaNetRows,
  eps: number,
): Promise<Rows> {
  const sizes = deltaNetSizes(weights),
    { nKeyHeads, nValueHeads, dim } = sizes,
    vector = async (name: string) => (await weights.vector(prefix + name))!;
  const taps = Float64Array.from(await weights.rows(`${prefix}ssm_conv1d.weight`, 0, qkv[0]!.length)),
    [dtBias, a, norm] = [await vector("ssm_dt.bias"), await vector("ssm_a"), await vector("ssm_norm.weight")];
  const mixed = convolve(qkv, taps, sizes.nTaps),
    out = qkv.map(() => new Float64Array(nValueHeads * dim));
  for (let head = 0; head < nValueHeads; head++) {
    const memory = Array.from({ length: dim }, () => new Float64Array(dim)),
      key = head % nKeyHeads;
    mixed.forEach((row, t) => {
      const part = (i: number) => row.subarray(i * dim, (i + 1) * dim);
      const q = unit(part(key), eps).map((each) => each / Math.sqrt(dim)),
        k = unit(part(nKeyHeads + key), eps),
        v = part(2 * nKeyHeads + head);
      const keep = Math.exp(Math.log1p(Math.exp(alpha[t]![head]! + dtBias[head]!)) * a[head]!),
        rate = sigmoid(beta[t]![head]!);
      const o = memory.map((line, i) => {
        for (let j = 0; j < dim; j++) line[j]! *= keep;
        const turn = (v[i]! - dot(line, k)) * rate;
        for (let j = 0; j < dim; j++) line[j]! += turn * k[j]!;
        return dot(line, q);
      });
      const scale = 1 / Math.sqrt(o.reduce((sum, each) => sum + each * each, 0) / dim + eps);
      o.forEach((each, i) => {
        const gate = z[t]![head * dim + i]!;
        out[t]![head * dim + i] = each * scale * norm[i]! * gate * sigmoid(gate);
      });
    });
  }
  return out;
}

/** Each channel over its last positions, then SiLU. */
function convolve(x: Rows, taps: Float64Array, nTaps: number): Rows {
  return x.map((row, t) =>
    row.map((_, channel) => {
      let sum = 0;
      for (let tap = 0; tap < nTaps; tap++) {
        const past = x[t - nTaps + 1 + tap];
        if (past !== undefined) sum += taps[channel * nTaps + tap]! * past[channel]!;
      }
      return sum * sigmoid(sum);
    }),
  );
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function unit(x: Float64Array, eps: number): Float64Array {
  const length = Math.sqrt(dot(x, x) + eps);
  return x.map((each) => each / length);
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, each, i) => sum + each * b[i]!, 0);
}

/** Rows as the weights `name` want them: `lookup` for rows of a table. */
export function rotated(weights: GgufWeights, name: string, x: Rows, lookup = false): Rows {
  const find = (key: string) => weights.metadata(`prism.hadamard.${key}`),
    names = find(lookup ? "inverse_weight_names" : "weight_names"),
    isHead = !lookup && name === "token_embd.weight" && find("tied_output") === true;
  if (!isHead && !(Array.isArray(names) && names.includes(name))) return x;
  const width = x[0]!.length,
    signs = signsOf(find("sign_widths"), find("sign_values"), width),
    sign = (row: Float64Array) => row.map((each, i) => each * signs[i]!),
    turn = (row: Float64Array) => walsh(row, Number(find("block_size")));
  if (lookup) return x.map((row) => sign(turn(row)));
  const grouped = find("gdn_v_grouped") === true && name.endsWith("ssm_out.weight"),
    { nKeyHeads, dim } = deltaNetSizes(weights);
  return x.map((row) => turn(sign(grouped ? group(row, nKeyHeads, dim) : row)));
}

function signsOf(widths: unknown, values: unknown, width: number): readonly number[] {
  if (!ArrayBuffer.isView(widths) || !ArrayBuffer.isView(values)) return new Array<number>(width).fill(1);
  const all = Array.from(widths as Int32Array);
  const begin = all.slice(0, all.indexOf(width)).reduce((sum, each) => sum + each, 0);
  return Array.from(values as Int32Array).slice(begin, begin + width);
}

/** Heads of one key head side by side. */
function group(row: Float64Array, nKeyHeads: number, dim: number): Float64Array {
  const repeats = row.length / dim / nKeyHeads,
    out = new Float64Array(row.length);
  for (let key = 0; key < nKeyHeads; key++)
    for (let repeat = 0; repeat < repeats; repeat++)
      out.set(
        row.subarray((repeat * nKeyHeads + key) * dim, (repeat * nKeyHeads + key + 1) * dim),
        (key * repeats + repeat) * dim,
      );
  return out;
}

/** Sum over c of (−1)^(bits that r and c share) x[c], by its definition. */
function walsh(row: Float64Array, block: number): Float64Array {
  return row.map((_, at) => {
    const begin = at - (at % block);
    let sum = 0;
    for (let c = 0; c < block; c++) sum += isOdd((at % block) & c) ? -row[begin + c]! : row[begin + c]!;
    return sum / Math.sqrt(block);
  });
}

function isOdd(bits: number): boolean {
  let odd = false;
  for (let left = bits; left !== 0; left &= left - 1) odd = !odd;
  return odd;
}
