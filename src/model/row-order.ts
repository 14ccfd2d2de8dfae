/**
 * The orders of the rows of q and k. Files of some architectures keep the two dimensions that rotate together side by
 * side; the kernels turn dimensions half a head apart. Loading puts the rows in that order, so one kernel turns all,
 * and the same weights give the same bits whichever order their file has.
 *
 *     file:    a0 b0 a1 b1 a2 b2 … | rest          of each head: ropeDim rows in pairs, then those that do not rotate
 *     memory:  a0 a1 a2 … b0 b1 b2 … | rest
 *
 * Others keep the gate of each query beside it:
 *
 *     file:    q0 gate0 q1 gate1 …             a head each
 *     memory:  q0 q1 … gate0 gate1 …
 *
 * @module
 */

/** Of heads whose rows come in pairs. */
export interface PairedRows {
  readonly headDim: number;
  /** Rows of a head that rotate. */
  readonly ropeDim: number;
}

/** Of heads each with a query and a gate. */
export interface GatedRows {
  readonly headDim: number;
  readonly nHeads: number;
}

export type RowOrder = PairedRows | GatedRows;

/** Where a row of the file goes. */
export function memoryRow(order: RowOrder | undefined, row: number): number {
  if (order === undefined) return row;
  const { headDim } = order;
  if ("nHeads" in order) {
    const within = row % (2 * headDim),
      head = (row - within) / (2 * headDim);
    return head * headDim + (within < headDim ? within : (order.nHeads - 1) * headDim + within);
  }
  const { ropeDim } = order,
    within = row % headDim;
  if (within >= ropeDim) return row;
  return row - within + (within >> 1) + (within & 1) * (ropeDim / 2);
}

/** Which row of the file stands here. */
export function fileRow(order: RowOrder | undefined, row: number): number {
  if (order === undefined) return row;
  const { headDim } = order;
  if ("nHeads" in order) {
    const isGate = row >= order.nHeads * headDim,
      among = isGate ? row - order.nHeads * headDim : row,
      within = among % headDim;
    return 2 * (among - within) + within + (isGate ? headDim : 0);
  }
  const { ropeDim } = order,
    within = row % headDim,
    half = ropeDim / 2;
  if (within >= ropeDim) return row;
  return row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
}

/** The least number of rows, a multiple of `unit`, that changes places among itself. */
export function closedRows(order: RowOrder | undefined, unit: number): number {
  if (order === undefined) return unit;
  const closed = "nHeads" in order ? 2 * order.nHeads * order.headDim : order.headDim;
  let rows = closed;
  while (rows % unit !== 0) rows += closed;
  return rows;
}
