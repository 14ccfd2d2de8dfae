/**
 * The feed-forward part of a block: up, activation (times a gate), norm, down.
 *
 *   y = down(norm(act(gate(h)) · up(h)))   or   down(norm(act(up(h)))),   h = norm(x)
 *
 * @module
 */
import type { Recorder } from "./attention-graph.ts";
import { type ActivationKind, activate, gate } from "./ops.ts";
import { type Linear, recordLinear } from "./projection.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

export interface FeedForwardParts {
  readonly activation: ActivationKind;
  readonly norm: Recorder;
  readonly up: Linear;
  /** Without it the activation applies to `up`. */
  readonly gate?: Linear;
  readonly innerNorm: Recorder;
  readonly down: Linear;
}

export function recordFeedForward(tape: Tape, parts: FeedForwardParts, x: Tensor): Tensor {
  const h = parts.norm(tape, x),
    up = recordLinear(tape, parts.up, h);
  const hidden = parts.gate
    ? gate(tape, parts.activation, recordLinear(tape, parts.gate, h), up)
    : activate(tape, parts.activation, up);
  return recordLinear(tape, parts.down, parts.innerNorm(tape, hidden));
}
