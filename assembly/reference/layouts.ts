/** Scalar twins of the memory layouts: places each weight, one at a time, from codes u8 (rows, kp). */
import { TABLE_GROUPS } from "../weights/tables";

/** Table layout of 2-weight ternary groups; rows a multiple of 32. */
export function packTernaryTable(codes: usize, dst: usize, rows: i32, kp: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let g = 0; g < kp / 2; g++) {
      const at = codes + <usize>(r * kp + 2 * g);
      setNibble(dst, r, g, rows / 32, kp / 2, 3 * load<u8>(at) + load<u8>(at, 1));
    }
  }
}

/** Table layout of 4-weight binary groups. */
export function packBinaryTable(codes: usize, dst: usize, rows: i32, kp: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let g = 0; g < kp / 4; g++) {
      let code: u8 = 0;
      for (let e: u8 = 0; e < 4; e++) code |= load<u8>(codes + <usize>(r * kp + 4 * g + e)) << e;
      setNibble(dst, r, g, rows / 32, kp / 4, code);
    }
  }
}

function setNibble(dst: usize, row: i32, group: i32, nTiles: i32, groups: i32, code: u8): void {
  const block = group / TABLE_GROUPS;
  const length = min(TABLE_GROUPS, groups - block * TABLE_GROUPS);
  const before = block * TABLE_GROUPS * nTiles + (row / 32) * length + (group - block * TABLE_GROUPS);
  const r = row % 16;
  const at = dst + <usize>(before * 16 + (r < 8 ? 2 * r : 2 * (r - 8) + 1));
  const byte = load<u8>(at);
  store<u8>(at, row % 32 < 16 ? (byte & 0xf0) | code : (byte & 0x0f) | (code << 4));
}

/** Layout T2: 64 weights in 16 bytes. */
export function packT2(codes: usize, dst: usize, rows: i32, kp: i32): void {
  memory.fill(dst, 0, <usize>(rows * (kp / 4)));
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < kp; i++) {
      const at = dst + <usize>(r * (kp / 4) + (i / 64) * 16 + (i % 16));
      const shift = <u8>(((i % 64) / 16) * 2);
      store<u8>(at, load<u8>(at) | (load<u8>(codes + <usize>(r * kp + i)) << shift));
    }
  }
}

/** Row-major bits, weight i in bit i % 8 of byte i / 8. */
export function packBits(codes: usize, dst: usize, rows: i32, kp: i32): void {
  memory.fill(dst, 0, <usize>(rows * (kp / 8)));
  for (let i = 0; i < rows * kp; i++) {
    const at = dst + <usize>(i / 8);
    const bit = <u8>(i % 8);
    store<u8>(at, load<u8>(at) | (load<u8>(codes + <usize>i) << bit));
  }
}
