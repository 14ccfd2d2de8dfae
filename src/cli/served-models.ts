/**
 * The models of `onebit serve`: their names, the memory they take, and how they are loaded.
 *
 * @module
 */
import { basename } from "node:path";
import { fail, quoted } from "../core/errors.ts";
import { CONTEXT_LENGTH_DEFAULT, WASM_PAGES_MAX, WASM_PAGE_BYTES } from "../core/limits.ts";
import type { LoadModelOptions, Model } from "../index.ts";
import { modelSource } from "./argument-kind.ts";
import type { Library } from "./command.ts";

/** As `onebit/server` takes them. */
export interface ModelToServe {
  readonly name: string;
  readonly memoryBytes: number;
  readonly load: () => Promise<Model>;
}

/** The model in the box continues texts: a chat with it is what was said, on lines of its own. */
export const BOX_TEMPLATE = "{% for message in messages %}{{ message.content or '' }}\n{% endfor %}";
const BOX_NAME = "shakespeare";

/** Of what wasm32 addresses; the rest is for the work space that grows with the pages. */
const MEMORY_SHARE = 0.95;

/**
 * Reads each model's header, so that a wrong name fails at the start and memory is known before it is taken.
 *
 * @param arguments_ the models as they were named; none: the model in the box
 * @param nParallel conversations that should keep their place in the cache, where there is room
 * @throws OnebitError as `inspect`; `usage` for two of one name
 */
export async function planModels(
  { inspect, load }: Library,
  arguments_: readonly string[],
  options: LoadModelOptions,
  nParallel: number,
): Promise<ModelToServe[]> {
  const planned: ModelToServe[] = [];
  for (const argument of arguments_.length === 0 ? [undefined] : arguments_) {
    const source = argument === undefined ? undefined : modelSource(argument, true),
      name = source === undefined ? BOX_NAME : servedName(source);
    if (planned.some((other) => other.name === name))
      fail("usage", `two models have the name ${quoted(name)}: rename a file, or serve one of them`);
    const { config, memory } = await inspect(source, { ...options, weights: false });
    const contextLength = options.contextLength ?? Math.min(config.contextLengthTrained, CONTEXT_LENGTH_DEFAULT),
      positionBytes = (memory.kvBytes + memory.stateBytes) / contextLength;
    const limitBytes = Math.min(options.memoryLimitBytes ?? Infinity, WASM_PAGES_MAX * WASM_PAGE_BYTES) * MEMORY_SHARE,
      room = Math.max(0, Math.floor((limitBytes - memory.wasmBytes) / positionBytes)),
      nMore = Math.min((nParallel - 1) * contextLength, room);
    planned.push({
      name,
      memoryBytes: memory.wasmBytes + nMore * positionBytes,
      load: () => load(source, { ...options, contextLength, kvPositions: contextLength + nMore }),
    });
  }
  return planned;
}

/** `hf:owner/repo` is `owner/repo`; a file is its name without its ending. */
export function servedName(source: string): string {
  const repo = /^hf:([^/@]+\/[^/@]+)/.exec(source)?.[1];
  if (repo !== undefined) return repo;
  const path = source.replace(/[?#].*$/, "").replace(/[/\\]+$/, "");
  return basename(path.replaceAll("\\", "/")).replace(/\.(?:gguf|safetensors)$/i, "") || "model";
}
