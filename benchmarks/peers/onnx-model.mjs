/**
 * ONNX models of nothing but products with packed weights: `MatMulNBits` of the domain com.microsoft, `count` of them
 * side by side on one input, so that their weights together are larger than the processor's caches.
 *
 * ONNX files are protocol buffers (github.com/onnx/onnx, onnx.proto); this writes the few needed messages by hand.
 */
const FLOAT = 1,
  UINT8 = 2,
  ATTRIBUTE_INT = 2;

/** y_i = x W_iᵀ; x (rows, inputs), W_i (outputs, inputs) in `bits` bits, one scale for `blockSize` weights. */
export function productsModel({ rows, inputs, outputs, bits, blockSize, accuracyLevel, count }) {
  const blocks = inputs / blockSize,
    indexes = Array.from({ length: count }, (_, i) => i);
  const attributes = { K: inputs, N: outputs, bits, block_size: blockSize, accuracy_level: accuracyLevel };
  const node = (i) =>
    message([
      ...["x", `w${i}`, `s${i}`].map((name) => text(1, name)),
      text(2, `y${i}`),
      text(4, "MatMulNBits"),
      text(7, "com.microsoft"),
      ...Object.entries(attributes).map(([name, value]) =>
        field(5, message([text(1, name), integer(3, value), integer(20, ATTRIBUTE_INT)])),
      ),
    ]);
  const weights = (i) =>
    tensor(
      `w${i}`,
      UINT8,
      [outputs, blocks, (blockSize * bits) / 8],
      randomBytes((outputs * inputs * bits) / 8, i + 1),
    );
  // Of the size that keeps products near 1.
  const scales = (i) =>
    tensor(
      `s${i}`,
      FLOAT,
      [outputs * blocks],
      new Uint8Array(new Float32Array(outputs * blocks).fill(inputs ** -0.5).buffer),
    );
  const graph = message([
    ...indexes.map((i) => field(1, node(i))),
    text(2, "products"),
    ...indexes.flatMap((i) => [field(5, weights(i)), field(5, scales(i))]),
    field(11, value("x", [rows, inputs])),
    ...indexes.map((i) => field(12, value(`y${i}`, [rows, outputs]))),
  ]);
  const opset = (domain, version) => field(8, message([text(1, domain), integer(2, version)]));
  return message([integer(1, 8), field(7, graph), opset("", 17), opset("com.microsoft", 1)]);
}

function tensor(name, type, dims, bytes) {
  return message([...dims.map((size) => integer(1, size)), integer(2, type), text(8, name), field(9, bytes)]);
}

function value(name, dims) {
  const shape = message(dims.map((size) => field(1, message([integer(1, size)]))));
  return message([text(1, name), field(2, message([field(1, message([integer(1, FLOAT), field(2, shape)]))]))]);
}

const message = (parts) => Buffer.concat(parts);
const integer = (number, n) => Buffer.from([...varint(number * 8), ...varint(n)]);
const text = (number, string) => field(number, Buffer.from(string));
const field = (number, bytes) =>
  Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);

function varint(n) {
  const bytes = [];
  for (; n > 127; n = Math.floor(n / 128)) bytes.push((n % 128) | 128);
  return [...bytes, n];
}

/** Marsaglia's xorshift. */
function randomBytes(length, seed) {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0, state = seed; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}
