/**
 * The base of the rotary frequencies that Hunyuan's models raise once, by a factor alpha to all but the fastest pair
 * (NTK-aware scaling).
 *
 * @module
 */

/**
 * θ · α^(d / (d − 2)). As 32 bits, which is how converters store it: engines differ in the last bits of their powers,
 * which then do not matter.
 */
export function raisedBase(theta: number, alpha: number, headDim: number): number {
  return Math.fround(theta * alpha ** (headDim / (headDim - 2)));
}
