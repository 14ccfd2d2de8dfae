/**
 * A sequence of layers as one layer.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { check, kind, list } from "../core/options.ts";
import { ArrayLayer } from "./layer.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Layers one after another, as one. They share one runtime; closing this closes them. Parameters are named `0.weight`,
 * `1.weight`, …
 *
 * @example
 * ```ts
 * import { BitLinear, RMSNorm, Runtime, Sequential, array } from "onebit/nn";
 *
 * const runtime = new Runtime();
 * const model = new Sequential([new BitLinear(4, 8, { runtime }), new RMSNorm(8, { runtime })]);
 * console.log(model.forward(array([1, 2, 3, 4], [1, 4])).shape); // 1, 8
 * ```
 */
export class Sequential extends ArrayLayer {
  /** In order. */
  readonly layers: readonly ArrayLayer[];

  /** @throws OnebitError `option/invalid` for no layer, or layers of several runtimes */
  constructor(given: readonly ArrayLayer[]) {
    const layers = check(
      "layers",
      given,
      list(
        "a list of layers",
        kind<ArrayLayer>("a layer of floats", (layer) => layer instanceof ArrayLayer),
      ),
    );
    const runtime = layers[0]?.runtime ?? fail("option/invalid", "layers: wanted at least one, got none");
    if (layers.some((layer) => layer.runtime !== runtime))
      fail("option/invalid", "layers: wanted layers of one runtime; give them the same `runtime` option");
    super({ runtime });
    this.layers = layers.map((layer, i) => this.addChild(String(i), layer));
  }

  outputShape(shape: readonly number[]): readonly number[] {
    return this.layers.reduce((current, layer) => layer.outputShape(current), shape);
  }

  record(tape: Tape, x: Tensor): Tensor {
    return this.layers.reduce((current, layer) => layer.record(tape, current), x);
  }
}
