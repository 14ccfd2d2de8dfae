/**
 * `onebit inspect`: shows a model file's contents and its memory, without loading it.
 *
 * @module
 */
import type { ModelInspection } from "../../index.ts";
import { modelSource } from "../argument-kind.ts";
import { LOAD_OPTION_HELP, LOAD_OPTION_TYPES, loadOptions } from "../command.ts";
import type { Command } from "../command.ts";
import { formatBytes, formatJson } from "../format.ts";

/** Of longer lists (vocabularies, merges) only the length is shown. */
const LIST_ITEMS_SHOWN = 8;
/** Longer texts (chat templates) are cut for people, not in JSON. */
const TEXT_CHARS_SHOWN = 100;

export const inspect: Command = {
  name: "inspect",
  summary: "Show a model file's header, its tensors and the memory it needs",
  usage: "onebit inspect MODEL [options]",
  optionHelp: [...LOAD_OPTION_HELP, ["--json", "print everything as JSON; of long lists the length"]],
  examples: ["onebit inspect model.gguf", "onebit inspect model.gguf --context 8192 --json"],
  optionTypes: { json: { type: "boolean" }, ...LOAD_OPTION_TYPES },
  nPositionals: [1, 1],
  async run({ terminal, library, positionals, options }) {
    const found = describe(await library.inspect(modelSource(positionals[0]), loadOptions(options)));
    await terminal.out(options.flag("json") ? formatJson(found) : print(found));
  },
};

type Description = ReturnType<typeof describe>;

function describe({ file, config, memory, engine, unpacked, unused, warnings }: ModelInspection) {
  const tensors = [...file.tensors.values()].map(({ name, type, shape, position, sizeBytes }) => ({
    name,
    type,
    shape,
    position,
    sizeBytes,
  }));
  const metadata = file.format === "gguf" ? Object.fromEntries(file.metadata) : file.config;
  return {
    format: file.format,
    architecture: config.architecture,
    name: config.name,
    fileBytes: file.sources.reduce((sum, source) => sum + source.sizeBytes, 0),
    parameters: tensors.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0),
    memory,
    engine,
    unpacked,
    unused,
    warnings,
    config,
    metadata: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, abbreviate(value)])),
    tensors,
  };
}

function abbreviate(value: unknown): unknown {
  const isList = Array.isArray(value) || ArrayBuffer.isView(value);
  if (!isList) return value;
  const items = Array.from(value as ArrayLike<unknown>);
  return items.length <= LIST_ITEMS_SHOWN ? items : `${items.length} items`;
}

function print({
  format,
  architecture,
  name,
  fileBytes,
  parameters,
  memory,
  engine,
  unpacked,
  unused,
  warnings,
  config,
  metadata,
  tensors,
}: Description): string {
  const states = memory.stateBytes > 0 ? `, states ${formatBytes(memory.stateBytes)}` : "";
  const nameWidth = Math.max(...tensors.map((tensor) => tensor.name.length), 0);
  return [
    `${name}: ${architecture} in ${format}, ${formatBytes(fileBytes)}, ${(parameters / 1e6).toFixed(1)} million ` +
      "parameters",
    `memory: ${formatBytes(memory.wasmBytes)} (weights ${formatBytes(memory.weightBytes)}, KV ` +
      `cache ${formatBytes(memory.kvBytes)}${states})`,
    `kernels: ${
      engine
        ? `${engine.variant}, ternary weights by ${engine.ternaryKernel}`
        : "none: this engine has no WebAssembly SIMD"
    }`,
    `shape: ${config.nLayers} layers, width ${config.nEmbd}, feed-forward ${config.nFf}, ${config.nHeads} heads ` +
      `(${config.nKvHeads} KV), vocabulary ${config.vocabSize}, trained for ${config.contextLengthTrained} ` +
      "positions",
    ...warnings.map(({ tensor }) => `warning: all weights of ${show(tensor)} are zero`),
    ...packedWhenLoaded(unpacked),
    ...notUsed("keys", unused.keys),
    ...notUsed("tensors", unused.tensors),
    "",
    "metadata",
    ...Object.entries(metadata).map(([key, value]) => `  ${key} = ${show(value)}`),
    "",
    "tensors",
    ...tensors.map(
      ({ name, type, shape, sizeBytes }) =>
        `  ${name.padEnd(nameWidth)}  ${type.padEnd(7)}  ${shape.join(" × ").padEnd(14)}  ${formatBytes(sizeBytes)}`,
    ),
    "",
  ].join("\n");
}

/** A line for each kind of 1-bit weights that are written out as floats. */
function packedWhenLoaded(matrices: Description["unpacked"]): string[] {
  const counts = new Map<string, number>();
  for (const { weights, group } of matrices) {
    const kind = `${weights}, with a scale for each ${group}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => `unpacked: ${count} float matrices are ${kind}: packed when loaded`);
}

/** Names come from the file: JSON escapes terminal controls in them. */
function notUsed(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, LIST_ITEMS_SHOWN).map(show).join(", "),
    more = names.length - LIST_ITEMS_SHOWN;
  return [`${what} not used: ${shown}${more > 0 ? ` and ${more} more` : ""}`];
}

function show(value: unknown): string {
  const text = typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? "");
  // Keeps a hostile file's control characters off the terminal: JSON escapes ASCII ones, this the others.
  const safe = text.replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
  return safe.length > TEXT_CHARS_SHOWN ? `${safe.slice(0, TEXT_CHARS_SHOWN)}…` : safe;
}
