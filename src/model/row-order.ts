/**
 * The order of the rows of q and k. Files of some architectures keep the two dimensions that rotate together side by
 * side; the kernels turn dimensions half a head apart. Loading puts the rows in that order, so one kernel turns all,
 * and the same weights give the same bits whichever order their file has.
 *
 *     file:    a0 b0 a1 b1 a2 b2 … | rest          of each head: ropeDim rows in pairs, then those that do not rotate
 *     memory:  a0 a1 a2 … b0 b1 b2 … | rest
 *
 * @module
 */

/** Of heads whose rows come in pairs. */
export interface PairedRows {
  readonly headDim: number;
  /** Rows of a head that rotate. */
  readonly ropeDim: number;
}

/** Where a row of the file goes. */
export function memoryRow(order: PairedRows | undefined, row: number): number {
  if (order === undefined) return row;
  const { headDim, ropeDim } = order,
    within = row % headDim;
  if (within >= ropeDim) return row;
  return row - within + (within >> 1) + (within & 1) * (ropeDim / 2);
}

/** Which row of the file stands here. */
export function fileRow(order: PairedRows | undefined, row: number): number {
  if (order === undefined) return row;
  const { headDim, ropeDim } = order,
    within = row % headDim,
    half = ropeDim / 2;
  if (within >= ropeDim) return row;
  return row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
}

/** The least number of rows, a multiple of `unit`, that changes places among itself. */
export function closedRows(order: PairedRows | undefined, unit: number): number {
  if (order === undefined) return unit;
  let rows = order.headDim;
  while (rows % unit !== 0) rows += order.headDim;
  return rows;
}
