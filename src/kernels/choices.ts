/**
 * Choices of kernels that the loader of a model may make.
 *
 * @module
 */

/**
 * How 8-bit activations meet ternary weights: by table lookups, or by dot products over 2-bit codes. Both give the same
 * bits.
 */
export type TernaryKernel = "tables" | "dot";

/**
 * How products of bytes are added. `fused`: four at a time, by one instruction where the CPU has it. `pairs`: two, in
 * 16 bits, which is faster on x86 without it (AMD before Zen 5, Intel before the 12th generation). The same bits.
 */
export type DotProducts = "fused" | "pairs";

/**
 * How activations meet 1-bit weights. `token`: int8 with one scale per token, part of the model (BitNet-trained
 * families, W1.58A8). `block`: a finer scale for every 64 or 128 values (families trained with float activations).
 */
export type ActivationMode = "token" | "block";

/** The type of the KV cache: f32, or 8 bits with a scale each. */
export type KvType = "f32" | "q8";
