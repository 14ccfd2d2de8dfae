/**
 * Evaluates models on this JavaScript engine in every way it can and prints hashes of each way, of all logits and of
 * the saved context: one line of JSON per model × KV cache × variant × number of threads × split of the prompt. Every
 * line of a model and a cache must have the same hashes, here and on every other engine.
 *
 *   node bits.js MODEL...
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { OnebitError } from "../../src/core/errors.ts";
import { copyContext, seal } from "../../src/generate/snapshot.ts";
import type { Engine } from "../../src/model/engine-interface.ts";
import { openEngine } from "./open-engine.ts";

export interface BitsLine {
  readonly runtime: string;
  readonly model: string;
  readonly kvType: "f32" | "q8";
  readonly variant: "simd" | "relaxed";
  readonly threads: number;
  readonly split: string;
  readonly hash: string;
  /** Of the context's bytes, as saved. */
  readonly saved: string;
}

/** Positions evaluated: more than one batch of rows, and not a multiple of anything. */
const N_IDS = 77;

/** How the prompt is cut: lengths of the pieces, repeated. */
const SPLITS: Readonly<Record<string, readonly number[]>> = {
  whole: [N_IDS],
  "one by one": [1],
  uneven: [5, 1, 17, 2],
};

for (const path of process.argv.slice(2)) await printLines(path);

async function printLines(path: string): Promise<void> {
  for (const kvType of ["f32", "q8"] as const) {
    for (const variant of ["simd", "relaxed"] as const) await printVariant(path, kvType, variant);
  }
}

async function printVariant(path: string, kvType: BitsLine["kvType"], variant: BitsLine["variant"]): Promise<void> {
  for (const threads of [1, 2]) {
    const engine = await openWhereSupported(path, { kvType, variant, threads });
    if (engine === undefined) continue;
    for (const [split, pieces] of Object.entries(SPLITS)) {
      const line: BitsLine = {
        runtime: `${process.release.name} ${process.version}`,
        model: basename(path),
        kvType,
        variant,
        threads,
        split,
        ...(await hashesOf(engine, pieces)),
      };
      process.stdout.write(`${JSON.stringify(line)}\n`);
    }
    await engine.close();
  }
}

/** Undefined where the engine has no relaxed SIMD, which the reader of the lines must expect by its version. */
async function openWhereSupported(
  path: string,
  options: Pick<BitsLine, "kvType" | "variant" | "threads">,
): Promise<Engine | undefined> {
  try {
    return await openEngine(path, { ...options, contextLength: N_IDS });
  } catch (error) {
    if (options.variant === "relaxed" && error instanceof OnebitError && error.code === "engine/unsupported")
      return undefined;
    throw error;
  }
}

async function hashesOf(engine: Engine, pieces: readonly number[]): Promise<Pick<BitsLine, "hash" | "saved">> {
  const hash = createHash("sha256");
  const ids = Array.from({ length: N_IDS }, (_, i) => (i * 7919 + 13) % engine.vocabSize);
  const onLogits = (_: number, logits: Float32Array): void => {
    hash.update(new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength));
  };
  const group = {},
    sequence = engine.pages.open([], { isPrivate: true, group });
  for (let position = 0, i = 0; position < N_IDS; i++) {
    const piece = ids.slice(position, position + pieces[i % pieces.length]);
    await engine.evaluate(piece, sequence, { want: "all", onLogits });
    position += piece.length;
  }
  const saved = copyContext(ids, engine, { group });
  await seal(saved, engine.kv, { platform: {}, signal: new AbortController().signal });
  sequence.close();
  return { hash: hash.digest("hex"), saved: createHash("sha256").update(saved).digest("hex") };
}
