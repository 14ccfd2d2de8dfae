/**
 * The layers of onebit/nn, at the sizes of the original BitNet README's examples.
 *
 *   node examples/nn.ts                                                       (Node 22.18 and later)
 *   npx esbuild examples/nn.ts --format=esm --outfile=nn.mjs && node nn.mjs   (earlier ones)
 *
 * The transformer of 95 million parameters takes 0.6 GB of memory, and some seconds.
 */
import {
  AdamW,
  BitFeedForward,
  BitLinear,
  BitMGQA,
  BitNetTransformer,
  CrossEntropyLoss,
  array,
  ids,
  replaceLinears,
} from "onebit/nn";

/** Numbers that look like anything's. */
function numbers(...shape: number[]) {
  const size = shape.reduce((a, b) => a * b);
  return array(
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * i)),
    shape,
  );
}

function show(what: string, { shape }: { readonly shape: readonly number[] }): void {
  console.log(`${what}: (${shape.join(", ")})`);
}

// A linear layer, forward and backward.
const linear = new BitLinear(512, 400);
show("BitLinear", linear.forward(numbers(10, 512)));
show("its gradient", linear.backward(numbers(10, 400)));

// The same for inference: 2 bits a weight, the same numbers.
const packed = linear.pack();
console.log(`packed: ${packed.weightBytes} bytes for ${linear.weightBytes}`);
const same = packed
  .forward(numbers(10, 512))
  .data.every((value, i) => value === linear.eval().forward(numbers(10, 512)).data[i]);
console.log(`the same numbers: ${same}`);

// A feed-forward, and attention with its weights.
show(
  "BitFeedForward",
  new BitFeedForward(512, { activation: "silu", postActNorm: "layer", dropout: 0.1 }).forward(numbers(10, 512)),
);
const { output, weights } = new BitMGQA(512, 8, 4).forwardWithWeights(numbers(1, 10, 512));
show("BitMGQA", output);
show("its weights", weights);

// A transformer that learns to repeat.
const small = new BitNetTransformer({ numTokens: 16, dim: 64, depth: 2, heads: 4, kvHeads: 2 });
const optimizer = AdamW.of(small.parameters().values()),
  loss = new CrossEntropyLoss({ runtime: small.runtime });
const text = Array.from({ length: 33 }, (_, i) => [3, 1, 4, 1, 5, 9][i % 6]);
const losses = Array.from({ length: 60 }, () => {
  const result = loss.compute(small.forward(ids(text.slice(0, -1))), ids(text.slice(1)));
  optimizer.zeroGradients();
  small.backward(result.gradient);
  optimizer.step({ learningRate: 3e-3, weightDecay: 0.1 });
  return result.loss;
});
console.log(`loss ${losses[0].toFixed(2)} → ${losses[losses.length - 1].toFixed(2)}`);
console.log(`after 3 1 4 1: ${small.pack().generate([3, 1, 4, 1], { maxTokens: 6 }).join(" ")}`);

// Float linears of another model, rounded.
const { total } = replaceLinears({ "up.weight": numbers(1024, 256), "down.weight": numbers(256, 1024) });
console.log(
  `replaced ${total.count} weights: cosine ${total.cosine.toFixed(3)}, ${(100 * total.zeros).toFixed(0)} % zeros`,
);

// A transformer at full size.
const large = new BitNetTransformer({ numTokens: 20_000, dim: 1024, depth: 6, heads: 8, ffMult: 4 }).eval();
const logits = large.forward(ids(Array.from({ length: 1024 }, (_, i) => (i * 7919) % 20_000)));
show("BitNetTransformer", logits);
console.log(`finite: ${logits.data.every(Number.isFinite)}, ${(large.runtime.memoryBytes / 1e6).toFixed(0)} MB`);
