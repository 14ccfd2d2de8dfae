/** Scalar twins of the lookup tables: every code's sum, split into its two bytes. */

/** One ternary group: codes 3 (w0 + 1) + (w1 + 1), 0..8; the other seven entries never occur. */
export function ternaryTable(q: usize, table: usize): void {
  for (let code = 0; code < 9; code++) {
    const v = (code / 3 - 1) * <i32>load<i16>(q) + ((code % 3) - 1) * <i32>load<i16>(q, 2);
    store<u8>(table + <usize>code, <u8>(v & 31));
    store<u8>(table + <usize>code, <u8>((v >> 5) + 16), 16);
  }
}

/** One binary group: code bit e adds activation e; minus the negative activations. */
export function binaryTable(q: usize, table: usize): void {
  for (let code = 0; code < 16; code++) {
    let v = 0;
    for (let e = 0; e < 4; e++) {
      const activation = <i32>load<i16>(q + ((<usize>e) << 1));
      if ((code >> e) & 1) v += activation;
      if (activation < 0) v -= activation;
    }
    store<u8>(table + <usize>code, <u8>(v & 31));
    store<u8>(table + <usize>code, <u8>(v >> 5), 16);
  }
}
