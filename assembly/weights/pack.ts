/** Codes → memory layouts, one file a layout. */
export { packTernaryTile } from "./pack-ternary";
export { packBinaryTile } from "./pack-binary";
export { packT2Rows } from "./pack-t2";
