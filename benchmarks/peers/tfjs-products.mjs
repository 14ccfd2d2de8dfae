/**
 * Matrix products of TensorFlow.js, as the library does them and as well as its wasm backend can.
 *
 * The backend hands only plain products of two matrices to XNNPACK; those with a transposing flag, which the gradients
 * of `matMul` are, and batches of matrices go through simple loops, ten times slower. `fast` products transpose first.
 */
export function createProducts(tf) {
  /** wᵀ. Of a tall matrix in runs of 64 rows: half the time of the backend's plain transposition. */
  const transpose = (x) => {
    const [rows, columns] = x.shape;
    if (rows % 64 !== 0 || rows === 64) return tf.transpose(x);
    return tf.reshape(tf.transpose(tf.reshape(x, [rows / 64, 64, columns]), [2, 0, 1]), [columns, rows]);
  };
  /** x (n, in), w (in, out), dy (n, out). */
  const fast = {
    forward: (x, w) => tf.matMul(x, w),
    input: (dy, w) => tf.tidy(() => tf.matMul(dy, transpose(w))),
    weight: (dy, x) => tf.tidy(() => tf.matMul(transpose(x), dy)),
  };
  const library = {
    forward: fast.forward,
    input: (dy, w) => tf.matMul(dy, w, false, true),
    weight: (dy, x) => tf.matMul(x, dy, true, false),
  };
  /** x · w. */
  const multiply = tf.customGrad((x, w, save) => {
    save([x, w]);
    return { value: fast.forward(x, w), gradFunc: (dy, [x, w]) => [fast.input(dy, w), fast.weight(dy, x)] };
  });
  /** x · wᵀ, w (out, in). */
  const multiplyTransposed = tf.customGrad((x, w, save) => {
    save([x, w]);
    return { value: fast.input(x, w), gradFunc: (dy, [x, w]) => [fast.forward(dy, w), fast.weight(x, dy)] };
  });
  return {
    transpose,
    fast: { ...fast, multiply, multiplyTransposed },
    library: {
      ...library,
      multiply: (x, w) => tf.matMul(x, w),
      multiplyTransposed: (x, w) => tf.matMul(x, w, false, true),
    },
  };
}
