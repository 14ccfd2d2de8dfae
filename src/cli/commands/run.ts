/**
 * `onebit run`: continues a prompt.
 *
 * @module
 */
import { fail } from "../../core/errors.ts";
import type { GenerateOptions, GenerationResult, Model } from "../../index.ts";
import { isModelArgument } from "../argument-kind.ts";
import { LOAD_OPTION_HELP, LOAD_OPTION_TYPES } from "../command.ts";
import type { Command, CommandContext } from "../command.ts";
import { FORMAT_OPTION_HELP, FORMAT_OPTION_TYPES, formatOption } from "../format-options.ts";
import { formatJson, formatRate, formatSpeculation } from "../format.ts";
import { loadModel } from "../progress.ts";
import { PROMPT_PACK_HELP, PROMPT_PACK_TYPES, usePromptPack } from "../prompt-packs.ts";
import { SAMPLING_OPTION_HELP, SAMPLING_OPTION_TYPES, samplingOptions } from "../sampling-options.ts";
import { readText } from "../terminal.ts";

/** Its tokens are bytes: 300 are a dozen lines. At 0.8 its words are mostly English and its speakers still vary. */
const DEFAULT_MODEL_SAMPLING = { maxTokens: 300, temperature: 0.8 } as const satisfies GenerateOptions;

export const run: Command = {
  name: "run",
  summary: "Continue a text",
  usage: "onebit run [MODEL] [PROMPT] [options]   (the prompt is read from standard input when piped)",
  notes: [
    "Without MODEL the bundled model continues the text: a small one that writes like Shakespeare,",
    "with --temperature 0.8 and --max-tokens 300 unless given.",
    "A single argument is a MODEL if it is an existing file or folder, ends in .gguf or .safetensors, or,",
    "without spaces, begins with hf: or http(s): or contains a slash; otherwise it is the prompt.",
  ],
  optionHelp: [
    ["--ids 1,2,3", "token ids as the prompt, instead of text"],
    ...PROMPT_PACK_HELP,
    ...SAMPLING_OPTION_HELP,
    ...FORMAT_OPTION_HELP,
    ["--special", "read <|eot_id|> and the like in the prompt as special tokens, not as text"],
    ["--ignore-end", "continue past end-of-text tokens"],
    ...LOAD_OPTION_HELP,
    ["--json", "print one JSON object instead of the text"],
  ],
  examples: [
    'onebit run model.gguf "Once upon a time" --max-tokens 100',
    'onebit run "ROMEO:" --seed 1',
    'onebit run model.gguf "Once upon a time" --temperature 0 --json',
    "onebit run model.gguf --seed 7 < prompt.txt",
  ],
  optionTypes: {
    ids: { type: "string" },
    special: { type: "boolean" },
    "ignore-end": { type: "boolean" },
    json: { type: "boolean" },
    ...PROMPT_PACK_TYPES,
    ...SAMPLING_OPTION_TYPES,
    ...FORMAT_OPTION_TYPES,
    ...LOAD_OPTION_TYPES,
  },
  nPositionals: [0, 2],
  async run(context) {
    const { options, signal, terminal } = context;
    // Check the whole command line before loading the model.
    const { source, text } = readArguments(context.positionals),
      sampling = { ...samplingOptions(options), format: await formatOption(options) };
    const prompt = await readPrompt(context, text);
    await using model = await loadModel({ ...context, positionals: source === undefined ? [] : [source] });
    if (source === undefined && terminal.stderrIsTty)
      terminal.err("onebit: the bundled model continues; to run another: onebit run MODEL PROMPT\n");
    const isJson = options.flag("json"),
      parseSpecial = options.flag("special");
    await usePromptPack(context, model, () =>
      typeof prompt === "string" ? model.tokenizer.encode(prompt, { parseSpecial }) : prompt,
    );
    const generation = model.generate(prompt, {
      ...(source === undefined ? withDefaults(sampling) : sampling),
      parseSpecial,
      ignoreEnd: options.flag("ignore-end"),
      signal,
    });
    for await (const piece of generation) if (!isJson) await terminal.modelText(piece.text);
    const result = await generation.result();
    if (isJson) await terminal.out(formatJson(describeRun(model, result)));
    else {
      if (!result.text.endsWith("\n")) await terminal.out("\n");
      sayHowItEnded(context, model, result);
    }
  },
};

/** Without `source`: the bundled model. */
function readArguments([first, second]: readonly string[]): { source: string | undefined; text: string | undefined } {
  const isSource = first !== undefined && (second !== undefined || isModelArgument(first));
  return isSource ? { source: first, text: second } : { source: undefined, text: first };
}

function withDefaults(sampling: GenerateOptions): GenerateOptions {
  const given = Object.entries(sampling).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_MODEL_SAMPLING, ...Object.fromEntries(given) };
}

async function readPrompt(
  { terminal, options, signal }: CommandContext,
  text: string | undefined,
): Promise<string | number[]> {
  const ids = options.ids("ids");
  if (ids !== undefined) return text === undefined ? ids : fail("usage", "give a prompt or --ids, not both");
  if (text !== undefined) return text;
  if (terminal.stdinIsTty) fail("usage", "wanted a prompt: give it as an argument, as --ids, or on standard input");
  const piped = await readText(terminal.stdin, signal);
  if (piped === "")
    fail("usage", "standard input is empty: give a prompt as an argument, as --ids, or on standard input");
  // `echo` and editors add a final newline.
  return piped.replace(/\r?\n$/, "");
}

function describeRun(model: Model, { promptIds, ids, text, stopReason, timings }: GenerationResult): object {
  const { promptTokens, cachedTokens, promptMs, tokens, generateMs, speculation } = timings;
  return {
    promptIds,
    ids,
    text,
    stopReason,
    timings: { loadMs: model.loadMs, promptTokens, cachedTokens, promptMs, tokens, generateMs, speculation },
    memory: model.memory,
    engine: model.engine,
  };
}

function sayHowItEnded({ terminal }: CommandContext, model: Model, { stopReason, timings }: GenerationResult): void {
  if (stopReason === "context")
    terminal.err(`onebit: stopped: the context of ${model.contextLength} tokens is full; raise it with --context\n`);
  if (!terminal.stderrIsTty) return;
  const { promptTokens, promptMs, tokens, generateMs, speculation } = timings;
  terminal.err(
    `prompt ${promptTokens} tokens, ${formatRate(promptTokens, promptMs)}; reply ${tokens} ` +
      `tokens, ${formatRate(tokens - 1, generateMs)}${speculation ? `; ${formatSpeculation(speculation)}` : ""}\n`,
  );
}
