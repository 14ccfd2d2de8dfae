/**
 * The transformer of src/nn/transformer-graph.ts in float, in TensorFlow.js: its training step, with the library's own
 * optimiser. Weights are kept as (in, out), the layout its products are fast in.
 *
 * Around what the wasm backend lacks or is slow at, in both ways of multiplying:
 *   - no UnsortedSegmentSum, the gradient of gather: ScatterNd adds up the rows of the embedding's gradient;
 *   - slices of the last dimension are slow: the halves that RoPE turns are swapped by a product with a matrix of
 *     0, ±1;
 *   - sums over rows are slow: gains are spread over the rows by a product with a column of ones, whose gradient sums.
 */
import { createAttention } from "./tfjs-attention.mjs";
import { createProducts } from "./tfjs-products.mjs";

/** @param way "fast" or "library": how products and attention are done */
export function createTransformer(tf, { shape, batch, seqLength, weights, optimizer, way }) {
  const products = createProducts(tf),
    product = products[way],
    nTokens = batch * seqLength;
  const { dim, depth, heads, headDim, vocabSize, normEps } = shape,
    ones = tf.ones([nTokens, 1]);
  const attend = createAttention(tf, products, { batch, heads, length: seqLength })[way];
  const variables = createVariables(tf, weights),
    weight = (name) => variables.get(name);
  const rotary = createRotary(tf, product, shape, batch, seqLength);

  const embed = createEmbedding(tf, [vocabSize, dim], nTokens);
  const rmsNorm = (x, name) => {
    const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), 1, true), normEps));
    return tf.mul(tf.mul(x, scale), product.multiply(ones, weight(name)));
  };
  const toHeads = (x) =>
    tf.reshape(tf.transpose(tf.reshape(x, [batch, seqLength, heads, headDim]), [0, 2, 1, 3]), [
      batch * heads,
      seqLength,
      headDim,
    ]);
  const fromHeads = (x) =>
    tf.reshape(tf.transpose(tf.reshape(x, [batch, heads, seqLength, headDim]), [0, 2, 1, 3]), [
      nTokens,
      heads * headDim,
    ]);
  const block = (x, prefix) => {
    const normed = rmsNorm(x, `${prefix}attn_norm.weight`),
      project = (name) => toHeads(product.multiply(normed, weight(`${prefix}${name}.weight`)));
    const mixed = attend(rotary(project("attn_q"), headDim ** -0.5), rotary(project("attn_k"), 1), project("attn_v"));
    const h = tf.add(x, product.multiply(fromHeads(mixed), weight(`${prefix}attn_output.weight`)));
    const input = rmsNorm(h, `${prefix}ffn_norm.weight`),
      gate = product.multiply(input, weight(`${prefix}ffn_gate.weight`));
    const hidden = tf.mul(tf.mul(gate, tf.sigmoid(gate)), product.multiply(input, weight(`${prefix}ffn_up.weight`)));
    return tf.add(h, product.multiply(hidden, weight(`${prefix}ffn_down.weight`)));
  };
  const lossOf = (ids, targets) => {
    let x = embed(weight("token_embd.weight"), ids);
    for (let i = 0; i < depth; i++) x = block(x, `blk.${i}.`);
    const logits = product.multiplyTransposed(rmsNorm(x, "output_norm.weight"), weight("token_embd.weight"));
    return tf.div(
      tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), tf.cast(tf.oneHot(targets, vocabSize), "float32")))),
      nTokens,
    );
  };

  const list = [...variables.values()],
    adam = tf.train.adam(optimizer.learningRate, optimizer.beta1, optimizer.beta2, optimizer.epsilon);
  const withBatch = (ids, targets, run) => tf.tidy(() => run(tf.tensor1d(ids, "int32"), tf.tensor1d(targets, "int32")));
  return {
    /** One step of Adam; the loss before it. */
    step: (ids, targets) =>
      withBatch(ids, targets, (i, t) => adam.minimize(() => lossOf(i, t), true, list).dataSync()[0]),
    lossAndGradients(ids, targets) {
      return withBatch(ids, targets, (i, t) => {
        const { value, grads } = tf.variableGrads(() => lossOf(i, t), list),
          gradients = {};
        for (const [name, variable] of variables) gradients[name] = inStoredLayout(tf, name, grads[variable.name]);
        return { loss: value.dataSync()[0], gradients };
      });
    },
    liveTensors: () => tf.memory().numTensors,
  };
}

/** Rows of a table of `shape` by their ids. */
function createEmbedding(tf, shape, nTokens) {
  return tf.customGrad((table, ids, save) => {
    save([ids]);
    const gradFunc = (dy, [ids]) => [tf.scatterND(tf.reshape(ids, [nTokens, 1]), dy, shape), tf.zerosLike(ids)];
    return { value: tf.gather(table, ids), gradFunc };
  });
}

/** Matrices but the embedding are turned to (in, out); gains are rows. */
function createVariables(tf, weights) {
  const variables = new Map();
  for (const [name, { shape, values }] of Object.entries(weights)) {
    const stored = shape.length === 1 ? tf.tensor2d(values, [1, shape[0]]) : tf.tensor2d(values, shape);
    variables.set(name, tf.variable(isTurned(name, shape) ? tf.transpose(stored) : stored, true, name));
  }
  return variables;
}

function inStoredLayout(tf, name, gradient) {
  return (
    isTurned(name, gradient.shape[0] === 1 ? [gradient.size] : gradient.shape) ? tf.transpose(gradient) : gradient
  ).dataSync();
}

function isTurned(name, shape) {
  return shape.length === 2 && name !== "token_embd.weight";
}

/** x cos + (x · swap) sin, times `factor`; x (sequences · heads, length, headDim). */
function createRotary(tf, product, { headDim, heads, ropeTheta }, batch, length) {
  const half = headDim / 2,
    cos = new Float32Array(length * headDim),
    sin = new Float32Array(length * headDim);
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < headDim; i++) {
      const angle = position * ropeTheta ** ((-2 * (i % half)) / headDim);
      cos[position * headDim + i] = Math.cos(angle);
      sin[position * headDim + i] = Math.sin(angle);
    }
  }
  const swap = new Float32Array(headDim * headDim);
  for (let i = 0; i < half; i++) {
    swap[(i + half) * headDim + i] = -1;
    swap[i * headDim + i + half] = 1;
  }
  const rows = batch * heads * length,
    spread = (table) => tf.tidy(() => tf.tile(tf.tensor2d(table, [length, headDim]), [batch * heads, 1]));
  const cosines = spread(cos),
    sines = spread(sin),
    swapping = tf.tensor2d(swap, [headDim, headDim]);
  return (x, factor) => {
    const flat = tf.reshape(x, [rows, headDim]),
      turned = tf.add(tf.mul(flat, cosines), tf.mul(product.multiply(flat, swapping), sines));
    return tf.reshape(factor === 1 ? turned : tf.mul(turned, factor), x.shape);
  };
}
