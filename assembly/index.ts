// The export list: the ABI of the module, nothing else.
export { run, stop, work } from "./threads";
export { dotKind, heapBase, selfTest } from "./self-test";
export {
  absSumRow,
  decodeBinaryRow,
  decodePackedRow,
  decodeTernaryRow,
  decodeUnpackedRow,
  ternarizeRow,
} from "./weights/decode";
export { packTile } from "./layouts";
export { denseRow, quantizeRowQ8_0 } from "./weights/dense-row";
export { packQ6KRow } from "./weights/q6-k";
// No step of the engine reaches XNOR and popcount yet; the binary system of the first paper stands on them.
export { xnorMatmul, packSigns } from "./weights/xnor";
export { ropeFactors, ropeFrequencies, ropeLinear, ropeYarn } from "./ops/rope";
export { argmax, expF64, logF64, logSumExp, topK } from "./ops/logits";
export { randomNext, randomSeed } from "./random";
export { hashWords } from "./hash";
