/**
 * `onebit train`: trains a model on a text.
 *
 * @module
 */
import { OnebitError, fail, quoted } from "../../core/errors.ts";
import type { Platform } from "../../core/platform.ts";
import { detectPlatform } from "../../platform/detect.ts";
import { PLOT_FILE, defaultThreads, openTraining, planTraining, readTextFile, resolveOptions } from "../../train.ts";
import type { Training } from "../../train.ts";
import type { Command, CommandContext, Options } from "../command.ts";
import { formatBytes, formatJson } from "../format.ts";
import { TRAINING_OPTION_HELP, TRAINING_OPTION_TYPES, recipeOptions } from "../training-options.ts";
import { type ModelOutput, writeModel } from "../training-files.ts";
import { createReport, describeCurve, describePlan } from "../training-report.ts";

export const train: Command = {
  name: "train",
  summary: "Train a model on a text",
  usage: "onebit train TEXT --out FOLDER [options]   (TEXT is any file, gzip too)",
  optionHelp: [
    ["--out FOLDER", "folder for checkpoints, metrics.jsonl, loss.svg and the model"],
    ["--resume", "continue from the folder's last checkpoint, after a stop, a crash or a kill; to the same bits"],
    ["--plan", "only print the plan and its memory"],
    ...TRAINING_OPTION_HELP,
    ["--prompt TEXT", "text for samples to continue (default: the beginning of the validation text)"],
    ["--threads N", "threads to train on (default: the processors, 1 for small models; the weights are the same)"],
    ["--name NAME", "the model's name in its files"],
    ["--export FILE", "the model as GGUF (default: model.gguf in the folder)"],
    ["--ternary TYPE", "TQ2_0, TQ1_0, Q2_0 or I2_S (default: TQ2_0, Q2_0 where rows do not divide)"],
    ["--no-gguf", "export no GGUF file and write no samples, for shapes that GGUF cannot hold"],
    ["--safetensors FOLDER", "the model as a Hugging Face folder"],
    ["--json", "print one JSON object at the end instead of text"],
  ],
  examples: [
    "onebit train book.txt --out my-model",
    "onebit train book.txt --out my-model --resume",
    "onebit train notes.txt --out tiny --preset tiny --steps 1000 --export tiny.gguf",
    "onebit train enwik8.gz --out enwik8 --preset enwik8 --plan",
    "onebit train book.txt --out binary --weight-bits 1 --vocab 2048 --schedule two-stage",
  ],
  optionTypes: {
    ...TRAINING_OPTION_TYPES,
    out: { type: "string" },
    resume: { type: "boolean" },
    plan: { type: "boolean" },
    prompt: { type: "string" },
    threads: { type: "string" },
    name: { type: "string" },
    export: { type: "string" },
    ternary: { type: "string" },
    "no-gguf": { type: "boolean" },
    safetensors: { type: "string" },
    json: { type: "boolean" },
  },
  nPositionals: [1, 1],
  async run(context) {
    const { options, terminal } = context,
      isJson = options.flag("json"),
      choices = recipeOptions(options),
      output = outputOf(options);
    const { recipe } = resolveOptions(choices),
      platform = detectPlatform(),
      threads = options.integer("threads", 1) ?? defaultThreads(recipe, platform);
    const plan = planTraining(recipe, { threads, platform });
    if (!isJson) await terminal.out(describePlan(recipe, plan));
    if (options.flag("plan")) {
      if (isJson) await terminal.out(formatJson({ recipe, plan }));
      return;
    }
    const folder =
      output.folder ?? fail("usage", "--out is missing: wanted a folder for checkpoints, metrics and the model");
    const training = await open(context, platform, { choices, threads, folder, hasGguf: output.hasGguf });
    try {
      sayWhereFrom(context, training);
      const validation = await follow(context, training, isJson);
      const files = await writeModel(platform, training, folder, output);
      if (isJson)
        await terminal.out(
          formatJson({ step: training.step, plan, validation, metrics: training.metrics.at(-1), files }),
        );
      else {
        const written = files.map(({ path, sizeBytes }) => `${path}: ${formatBytes(sizeBytes)}\n`).join("");
        await terminal.out(`${describeCurve(training)}${written}${platform.inFolder(folder, PLOT_FILE)}: the curve\n`);
      }
    } finally {
      await training.close();
    }
  },
};

function outputOf(options: Options): ModelOutput & { readonly folder: string | undefined } {
  const hasGguf = !options.flag("no-gguf"),
    gguf = options.text("export");
  if (gguf !== undefined && !/\.gguf$/i.test(gguf)) {
    const instead = /\.safetensors$/i.test(gguf)
      ? "for safetensors: --safetensors FOLDER"
      : "for safetensors: --safetensors FOLDER";
    fail("usage", `--export: wanted a file that ends in .gguf, got ${quoted(gguf)}; ${instead}`);
  }
  if (!hasGguf && gguf !== undefined) fail("usage", "give --export or --no-gguf, not both");
  const ternary = options.choice("ternary", ["TQ2_0", "TQ1_0", "Q2_0", "I2_S"]);
  return { folder: options.text("out"), hasGguf, gguf, ternary, safetensors: options.text("safetensors") };
}

interface Begin {
  readonly choices: ReturnType<typeof recipeOptions>;
  readonly threads: number;
  readonly folder: string;
  readonly hasGguf: boolean;
}

async function open(
  { positionals, options, signal }: CommandContext,
  platform: Platform,
  { choices, threads, folder, hasGguf }: Begin,
): Promise<Training> {
  const { maxBytes } = resolveOptions(choices).settings,
    source = await platform.openFile(positionals[0]);
  const text = await readTextFile(source, { signal, ...(maxBytes > 0 ? { maxBytes } : {}) }).finally(() =>
    source.close(),
  );
  const training = await openTraining({
    ...choices,
    ...(hasGguf ? {} : { sampleEvery: 0 }),
    text,
    platform,
    threads,
    folder,
    signal,
    resume: options.flag("resume"),
    name: options.text("name"),
    samplePrompt: options.text("prompt"),
  });
  try {
    // Fail before hours of training, not at the export.
    if (hasGguf) await training.gguf({ ternary: outputOf(options).ternary });
    if (options.text("safetensors") !== undefined) await training.safetensors();
  } catch (error) {
    await training.close();
    if (error instanceof OnebitError && hasGguf) fail(error.code, `${error.message} (train it with --no-gguf)`, error);
    throw error;
  }
  return training;
}

function sayWhereFrom({ terminal, options }: CommandContext, { resumedFrom, logSetAside, step }: Training): void {
  if (logSetAside) terminal.err(`onebit: moved the damaged log to ${logSetAside.path}: ${logSetAside.reason}\n`);
  for (const { reason } of resumedFrom?.skipped ?? [])
    terminal.err(`onebit: skipped a damaged checkpoint: ${reason}\n`);
  if (resumedFrom) terminal.err(`onebit: resuming from step ${step}, ${resumedFrom.path}\n`);
  else if (options.flag("resume")) terminal.err("onebit: no checkpoint yet: starting a new training\n");
}

async function follow({ terminal }: CommandContext, training: Training, isJson: boolean): Promise<object | undefined> {
  const report = createReport(terminal, training, isJson);
  let validation: object | undefined;
  try {
    for await (const event of training) {
      await report.show(event);
      if (event.kind === "validation")
        validation = {
          step: event.step,
          loss: event.loss,
          bitsPerByte: event.bitsPerByte,
          tokens: event.tokens,
          isWhole: event.isWhole,
        };
    }
  } catch (error) {
    report.clear();
    if (error instanceof OnebitError && error.code === "aborted")
      terminal.err(
        `onebit: stopped at step ${training.step} and saved it; continue with the same command and --resume\n`,
      );
    throw error;
  } finally {
    report.clear();
  }
  return validation;
}
