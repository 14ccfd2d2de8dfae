/**
 * Memory of the states that recurrent layers keep for each context, and of the signs of rotations.
 *
 *   of each layer:  | state 0 | state 1 | …        a state: | rows of the convolution | matrices of the value heads |
 *
 * Unlike keys and values, a state holds all positions before one: it cannot be cut back, only kept in a copy.
 *
 * @module
 */
import { roundUp } from "../kernels/layouts.ts";
import { mixedWidthOf } from "./blocks.ts";
import type { DeltaNet, ModelConfig } from "./config.ts";

/** The states of all contexts. */
export interface PlacedStates {
  /** 0 for a model without recurrent layers. */
  readonly nStates: number;
  /** Bytes of a state in one layer; its matrices begin behind `rowsBytes`. */
  readonly layerBytes: number;
  readonly rowsBytes: number;
  /** Addresses, one a recurrent layer. */
  readonly layers: readonly number[];
  readonly bytes: number;
}

/** A context that computes has one, and one is kept at its prompt's last page; one more is for a copy. */
const STATES_PER_CONTEXT = 2;
const STATES_OTHER = 1;
const ALIGN = 64;

/** Gates of a token, which a thread computes ahead (assembly/ops/delta-net.ts). */
const GATE_BYTES = 8;
const TAP_BYTES = 4;

/** @param take gives room for so many bytes */
export function placeStates(
  { deltaNet }: ModelConfig,
  { contextLength, kvPositions }: { readonly contextLength: number; readonly kvPositions: number },
  take: (bytes: number) => number,
): PlacedStates {
  const nLayers = deltaNet?.isRecurrent.filter((is) => is).length ?? 0;
  if (deltaNet === undefined || nLayers === 0) return { nStates: 0, layerBytes: 0, rowsBytes: 0, layers: [], bytes: 0 };
  const nStates = STATES_PER_CONTEXT * Math.ceil(kvPositions / contextLength) + STATES_OTHER,
    rowsBytes = (deltaNet.nTaps - 1) * mixedWidthOf(deltaNet) * 4,
    matrixBytes = deltaNet.nValueHeads * deltaNet.headDim * deltaNet.headDim * 4,
    layerBytes = roundUp(rowsBytes + matrixBytes, ALIGN);
  const layers = Array.from({ length: nLayers }, () => take(nStates * layerBytes));
  return { nStates, layerBytes, rowsBytes, layers, bytes: nStates * nLayers * layerBytes };
}

/** Scratch of a thread in recurrent layers. */
export function recurrenceScratchBytes(deltaNet: DeltaNet | undefined, nRows: number): number {
  return deltaNet === undefined ? 0 : Math.max(nRows * GATE_BYTES, deltaNet.nTaps * TAP_BYTES);
}

/** Room for each vector of signs, by width. */
export function placeSigns({ hadamard }: ModelConfig, take: (bytes: number) => number): ReadonlyMap<number, number> {
  return new Map(Object.keys(hadamard?.signs ?? {}).map((width) => [Number(width), take(Number(width) * 4)]));
}

export function writeSigns(
  { hadamard }: ModelConfig,
  places: ReadonlyMap<number, number>,
  memory: WebAssembly.Memory,
): void {
  for (const [width, at] of places) new Float32Array(memory.buffer, at, width).set(hadamard?.signs?.[width] ?? []);
}
