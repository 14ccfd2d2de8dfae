/** Whether a test of a model would notice: all that a file says of it, changed on purpose, changes its logits. */
import assert from "node:assert/strict";
import { type GgufChoices, ggufBytes } from "./gguf-bytes.ts";
import { logitsOf, relativeError } from "./logits.ts";
import { type TinyShape, tinyTensors } from "./tiny-model.ts";

/** Of the largest logit: a hundred times what tests allow between the engine and the exact pass. */
const CHANGE_MIN = 1e-3;

/** Files of the same shape that say something else, by what that is. */
export type Perturbations = Readonly<Record<string, Partial<GgufChoices>>>;

/** A perturbation for each tensor: every third of its numbers is half as large again. */
export function tensorPerturbations(shape: TinyShape): Perturbations {
  return Object.fromEntries(
    tinyTensors(shape).map(({ name }) => [
      name,
      {
        tensors: (tensors) =>
          tensors.map((tensor) =>
            tensor.name === name
              ? {
                  ...tensor,
                  codes: undefined,
                  values: tensor.values.map((value, i) => (i % 3 === 0 ? 1.5 : 1) * value),
                }
              : tensor,
          ),
      },
    ]),
  );
}

export async function assertEachMatters(
  shape: TinyShape,
  choices: GgufChoices,
  perturbations: Perturbations,
): Promise<void> {
  const logits = async (more: Partial<GgufChoices>) =>
    await logitsOf(await ggufBytes(shape, { ...choices, ...more, keys: { ...choices.keys, ...more.keys } }));
  const wanted = await logits({});
  for (const [what, change] of Object.entries(perturbations)) {
    const error = relativeError(await logits(change), wanted);
    assert.ok(error >= CHANGE_MIN, `${what}: changed, it moves logits by no more than ${error} of the largest`);
  }
}
