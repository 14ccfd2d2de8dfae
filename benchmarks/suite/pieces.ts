/** The pieces of the suite, in the order they are measured and reported. Each takes a few minutes. */
import type { PieceTask } from "./context.ts";
import { measureProducts, measureProfile } from "./measure-kernels.ts";
import { measureLoading, measureModel } from "./measure-models.ts";
import { measurePackage } from "./measure-package.ts";
import { measurePositions, measurePrompts, measureSizes } from "./measure-scaling.ts";
import { measureTraining } from "./measure-training.ts";
import { MODELS } from "./models.ts";

export const pieceTasks: readonly PieceTask[] = [
  ...MODELS.flatMap((model) =>
    [1, 2].map(
      (threads) =>
        ({
          name: `models-${model}-${threads}`,
          run: (context) => measureModel(context, model, threads),
        }) satisfies PieceTask,
    ),
  ),
  { name: "sizes-2b4t", run: (context) => measureSizes(context, "2b4t") },
  { name: "positions-2b4t", run: (context) => measurePositions(context, "2b4t") },
  ...MODELS.map(
    (model) => ({ name: `prompts-${model}`, run: (context) => measurePrompts(context, model) }) satisfies PieceTask,
  ),
  { name: "products", run: measureProducts },
  ...MODELS.map(
    (model) => ({ name: `profile-${model}`, run: (context) => measureProfile(context, model) }) satisfies PieceTask,
  ),
  { name: "loading", run: (context) => measureLoading(context, MODELS) },
  { name: "package", run: measurePackage },
  ...[1, 2].map(
    (threads) =>
      ({
        name: `training-${threads}`,
        isSlow: true,
        run: (context) => measureTraining(context, threads),
      }) satisfies PieceTask,
  ),
];
