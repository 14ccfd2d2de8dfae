/** The engine below the public model: it evaluates ids at positions, in pieces as small as one. */
import relaxed from "#kernels/relaxed";
import relaxedThreads from "#kernels/relaxed-threads";
import simd from "#kernels/simd";
import simdThreads from "#kernels/simd-threads";
import type { ByteSource } from "../../src/core/byte-source.ts";
import { openModelFile } from "../../src/files/model-file.ts";
import { configFromGguf } from "../../src/model/config-gguf.ts";
import type { Engine } from "../../src/model/engine-interface.ts";
import { type EngineOptions, createEngine } from "../../src/model/engine.ts";
import { GGUF_NAMING } from "../../src/model/naming-gguf.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";

/** Loads a GGUF file. */
export async function openEngine(path: string, options: EngineOptions): Promise<Engine> {
  return openSource(await nodePlatform().openFile(path), options);
}

/** Loads a GGUF file from any source, and closes that. */
export async function openSource(source: ByteSource, options: EngineOptions): Promise<Engine> {
  const platform = nodePlatform(),
    file = await openModelFile(source);
  try {
    if (file.format !== "gguf") throw new Error(`${source.name}: wanted a GGUF file`);
    const config = configFromGguf(file.metadata, file.tensors);
    const binaries = { simd, relaxed, "simd-threads": simdThreads, "relaxed-threads": relaxedThreads };
    return await createEngine({ config, naming: GGUF_NAMING, tensors: file.tensors, platform, binaries }, options);
  } finally {
    await Promise.all(file.sources.map((source) => source.close()));
  }
}
