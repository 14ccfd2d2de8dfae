/**
 * What the one who loads a model may choose of the kernels.
 *
 * @module
 */

/**
 * How 8-bit activations meet ternary weights: by table lookups, or by dot products over 2-bit codes. The same bits.
 */
export type TernaryKernel = "tables" | "dot";

/**
 * How activations meet 1-bit weights. `token`: int8 with one scale a token, part of the model (BitNet-trained
 * families, W1.58A8). `block`: finer, a scale every 64 or 128 values (families trained with float activations).
 */
export type ActivationMode = "token" | "block";

/** How keys and values are held: as f32, or in 8 bits with a scale each. */
export type KvType = "f32" | "q8";
