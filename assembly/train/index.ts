// What the training build exports beside the exports of inference (assembly/index.ts is its other entry).
export { roundToHalf } from "./quantize";
