/**
 * The output of `onebit train`: the plan, the progress line, samples, the curve.
 *
 * @module
 */
import { estimateLeftMs, formatTrainingProgress, lossCurves, lossPlotText } from "../train.ts";
import type { Recipe, TrainEvent, Training, TrainingPlan } from "../train.ts";
import { formatBytes } from "./format.ts";
import type { Screen } from "./screen.ts";

const PLOT = { width: 72, height: 16 };

/** `3.0 million weights of 1.58 bits · 1,536 tokens a step · memory 212 MB (48 MB state, …)` */
export function describePlan({ weightBits, steps }: Recipe, plan: TrainingPlan): string {
  const { parameters, tokensPerStep, stateBytes, passBytes, validationBytes, otherBytes, totalBytes } = plan;
  const parts = [
    [stateBytes, "weights, gradients and moments"],
    [passBytes, "a pass"],
    [validationBytes, "validation"],
    [otherBytes, "scratch"],
  ] as const;
  return [
    `${(parameters / 1e6).toFixed(parameters < 1e7 ? 2 : 1)} million weights of ${weightBits} bits, ${steps} ` +
      `steps of ${tokensPerStep} tokens`,
    `memory ${formatBytes(totalBytes)}: ` +
      parts.map(([bytes, what]) => `${formatBytes(bytes)} for ${what}`).join(", "),
    "",
  ].join("\n");
}

export interface Report {
  show(event: TrainEvent): Promise<void>;
  /** Removes the progress line. */
  clear(): void;
}

/** @param isQuiet show only the progress line: a program reads the output */
export function createReport(terminal: Screen, training: Training, isQuiet: boolean): Report {
  const { recipe, settings, plan } = training,
    firstStep = training.step;
  let isShown = false,
    validationLoss: number | undefined,
    runMs = 0;
  const clear = (): void => {
    if (isShown) terminal.redraw("");
    isShown = false;
  };
  const say = async (text: string): Promise<void> => {
    clear();
    if (!isQuiet) await terminal.out(text);
  };
  return {
    clear,
    async show(event) {
      if (event.kind === "step") {
        const { step, loss, stepMs } = event,
          { steps: totalSteps } = recipe;
        runMs += stepMs;
        if (terminal.stderrIsTty) {
          isShown = true;
          const speed = stepMs > 0 ? { tokensPerSecond: (plan.tokensPerStep * 1000) / stepMs } : {};
          terminal.redraw(
            formatTrainingProgress({
              step,
              totalSteps,
              loss,
              validationLoss,
              ...speed,
              etaMs: estimateLeftMs(step - firstStep, totalSteps - step, runMs),
            }),
          );
        } else if (step % settings.logEvery === 0) await say(`step ${step}: loss ${loss.toFixed(4)}\n`);
      }
      if (event.kind === "validation") {
        validationLoss = event.loss;
        await say(
          `step ${event.step}: validation loss ${event.loss.toFixed(4)} (${event.bitsPerByte.toFixed(4)} bits a ` +
            `byte) over ${event.tokens} tokens${event.isWhole ? "" : " of it"}\n`,
        );
      }
      if (event.kind === "sample")
        await say(`step ${event.step}: sample\n${indented(`${event.prompt}▸${event.text}`)}\n`);
    },
  };
}

export function describeCurve(training: Training): string {
  return training.metrics.length > 1 ? lossPlotText(lossCurves(training.metrics), PLOT) : "";
}

function indented(text: string): string {
  return text
    .split("\n")
    .map((line) => `  | ${line}`)
    .join("\n");
}
