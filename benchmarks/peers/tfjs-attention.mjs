/**
 * softmax(q kᵀ + mask) v of TensorFlow.js, q already scaled; q, k, v (sequences · heads, length, headDim).
 *
 * `library` is the usual code: products of batches of matrices, with the library's gradients. `fast` goes head by head,
 * since the backend's products are fast for single matrices only (tfjs-products.mjs), with the gradient written out.
 */
export function createAttention(tf, { transpose }, { batch, heads, length }) {
  const masked = tf.tidy(() => {
    const position = tf.range(0, length, 1, "float32");
    return tf.mul(
      tf.cast(tf.greater(tf.reshape(position, [1, length]), tf.reshape(position, [length, 1])), "float32"),
      -1e9,
    );
  });
  // An operand of the full size: broadcasting over the first dimension is ten times slower.
  const maskOfAll = tf.tidy(() => tf.tile(tf.reshape(masked, [1, length, length]), [batch * heads, 1, 1]));

  /** Single matrices. In two steps: the backend copies all of x for each slice it takes. */
  const split = (x) => {
    const headDim = x.shape[2],
      sequences = tf.split(x, batch, 0);
    return sequences
      .flatMap((sequence) => tf.split(sequence, heads, 0))
      .map((head) => tf.reshape(head, [length, headDim]));
  };
  const join = (matrices) => tf.reshape(tf.concat(matrices, 0), [matrices.length, ...matrices[0].shape]);

  const fast = tf.customGrad((q, k, v, save) => {
    const qs = split(q),
      ks = split(k),
      vs = split(v);
    const weights = qs.map((matrix, i) =>
      tf.tidy(() => tf.softmax(tf.add(tf.matMul(matrix, transpose(ks[i])), masked))),
    );
    save([...qs, ...ks, ...vs, ...weights]);
    return { value: join(weights.map((matrix, i) => tf.matMul(matrix, vs[i]))), gradFunc: gradients };
  });
  const gradients = (dy, saved) => {
    const n = batch * heads,
      part = (i) => saved.slice(i * n, (i + 1) * n),
      [qs, ks, vs, weights] = [0, 1, 2, 3].map(part);
    const dq = [],
      dk = [],
      dv = [];
    split(dy).forEach((dOut, i) => {
      const p = weights[i],
        dp = tf.matMul(dOut, transpose(vs[i])),
        weighted = tf.mul(dp, p);
      const ds = tf.sub(weighted, tf.mul(p, tf.sum(weighted, 1, true)));
      dv.push(tf.matMul(transpose(p), dOut));
      dq.push(tf.matMul(ds, ks[i]));
      dk.push(tf.matMul(transpose(ds), qs[i]));
    });
    return [join(dq), join(dk), join(dv)];
  };
  const library = (q, k, v) => tf.matMul(tf.softmax(tf.add(tf.matMul(q, k, false, true), maskOfAll)), v);
  return { fast, library };
}
