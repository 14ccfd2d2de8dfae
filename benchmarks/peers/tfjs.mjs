/**
 * TensorFlow.js as a contestant of the training benchmark: a process that answers the calls of
 * benchmarks/train/contestant.ts. `npm ci --prefix benchmarks` installs it.
 */
import { openTensorFlow } from "./tfjs-backend.mjs";
import { createProducts } from "./tfjs-products.mjs";
import { createTransformer } from "./tfjs-transformer.mjs";

let tf, clock, runs, model, data;

/** The same as in benchmarks/train/clock.ts. */
const CLOCKS = {
  wall: () => performance.now() / 1e3,
  processor() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
};

const calls = {
  async open(options) {
    const opened = await openTensorFlow(options.threads);
    tf = opened.tf;
    clock = CLOCKS[options.clock];
    return opened.description;
  },
  /** Makes ready a product of `form`, in both ways. */
  product({ form, rows, inputs, outputs }) {
    tf.dispose(data);
    const random = (shape) => tf.randomUniform(shape, -1, 1);
    const x = random([rows, inputs]),
      w = random([inputs, outputs]),
      dy = random([rows, outputs]);
    const [left, right] = { forward: [x, w], input: [dy, w], weight: [dy, x] }[form];
    data = [x, w, dy];
    const { fast, library } = createProducts(tf),
      prepare = (multiply) => () => multiply(left, right).dispose();
    runs = { fast: prepare(fast[form]), library: prepare(library[form]) };
  },
  time({ way, times }) {
    const begin = clock(),
      run = runs[way];
    for (let i = 0; i < times; i++) run();
    return (clock() - begin) / times;
  },
  model(options) {
    model = createTransformer(tf, options);
  },
  lossAndGradients: ({ ids, targets }) => model.lossAndGradients(ids, targets),
  steps({ times, ids, targets }) {
    const begin = clock(),
      losses = [];
    for (let i = 0; i < times; i++) losses.push(model.step(ids, targets));
    return { seconds: (clock() - begin) / times, losses };
  },
};

process.on("message", async ({ name, args }) => {
  try {
    process.send({ result: await calls[name](args) });
  } catch (error) {
    process.send({ error: error.stack });
  }
});
process.on("disconnect", () => process.exit());
