// Exports of the training build besides those of inference (assembly/index.ts is its other entry).
export { roundToHalf } from "./quantize";
