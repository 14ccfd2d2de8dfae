/**
 * The typed interface of the WebAssembly module (`assembly/index.ts`). Pointers are byte addresses in its memory; a
 * function that returns a pointer-sized value returns it signed.
 *
 * @module
 */
export interface KernelExports {
  run(control: number, program: number, nSteps: number, state: number, nThreads: number): void;
  stop(control: number, nThreads: number): void;
  work(control: number, thread: number, job: number): void;
  heapBase(): number;
  selfTest(scratch: number): number;
  dotKind(scratch: number): number;

  decodeTernaryRow(type: number, src: number, k: number, codes: number, scales: number): number;
  decodePackedRow(src: number, row: number, rows: number, k: number, codes: number): number;
  decodeUnpackedRow(
    type: number,
    src: number,
    k: number,
    group: number,
    factor: number,
    binary: number,
    codes: number,
    scales: number,
  ): number;
  decodeBinaryRow(type: number, src: number, k: number, codes: number, scales: number): number;
  ternarizeRow(x: number, k: number, scale: number, codes: number): void;
  absSumRow(x: number, k: number): number;
  packTile(
    layout: number,
    codes: number,
    codeStride: number,
    dst: number,
    tile: number,
    nTiles: number,
    kp: number,
  ): void;
  denseRow(type: number, row: number, k: number, out: number): void;
  packQ6KRow(row: number, w: number, r: number, k: number): void;
  quantizeRowQ8_0(x: number, k: number, dst: number): void;

  ropeFrequencies(out: number, nRot: number, base: number): void;
  ropeLinear(out: number, n: number, factor: number): void;
  ropeFactors(out: number, n: number, factors: number): void;
  ropeYarn(
    out: number,
    n: number,
    nRot: number,
    base: number,
    factor: number,
    originalContext: number,
    betaFast: number,
    betaSlow: number,
  ): number;

  argmax(x: number, n: number): number;
  topK(x: number, n: number, k: number, ids: number, logits: number): number;
  logSumExp(x: number, n: number): number;
  expF64(x: number): number;
  logF64(x: number): number;
  randomSeed(state: number, seed: bigint): void;
  randomNext(state: number): number;
  hashWords(at: number, n: number, first: bigint): bigint;
}
