/**
 * A GGUF model that may be split over several files: `NAME-00001-of-00003.gguf` and its siblings.
 *
 * Source: llama.cpp's `gguf-split`. The first shard holds all metadata, with `split.count` and `split.tensors.count`;
 * every shard has its own tensor table, data section and `split.no` (from 0).
 *
 * @module
 */
import type { ByteSource } from "../core/byte-source.ts";
import { fail, quoted } from "../core/errors.ts";
import { SHARDS_MAX } from "../core/limits.ts";
import { readGguf } from "./gguf.ts";
import type { GgufFile, TensorInfo } from "./gguf.ts";
import { findInteger } from "./gguf-metadata.ts";

/** Opens a file beside the given one by its bare name. */
export type OpenSibling = (name: string) => Promise<ByteSource>;

const SHARD_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;

/**
 * Reads the header of a model, and of its other shards when it is split.
 *
 * @param openSibling needed only for split models; `sources` holds what it opened; closed again on failure
 * @throws OnebitError `gguf/split` when shards are missing, out of order or disagree, and all that `readGguf` throws
 */
export async function openGguf(source: ByteSource, openSibling?: OpenSibling): Promise<GgufFile> {
  const first = await readGguf(source);
  const nShards = findInteger(first.metadata, "split.count") ?? 1;
  if (nShards <= 1) return first;
  if (nShards > SHARDS_MAX) fail("gguf/split", `${source.name}: split.count is ${nShards}, the limit is ${SHARDS_MAX}`);
  const names = shardNames(source, first, nShards);
  if (openSibling === undefined) {
    fail("gguf/split", `${source.name}: is one of ${nShards} files; the others cannot be reached from here`);
  }
  const opened: ByteSource[] = [];
  try {
    const shards = [first];
    for (let no = 1; no < nShards; no++) {
      const sibling = await openShard(openSibling, names[no]!);
      opened.push(sibling);
      shards.push(await readShard(sibling, no, nShards));
    }
    return merge(shards);
  } catch (error) {
    await Promise.all(opened.map((sibling) => sibling.close()));
    throw error;
  }
}

/** Names of all shards, from the name of the first. */
function shardNames(source: ByteSource, first: GgufFile, nShards: number): string[] {
  const match = SHARD_NAME.exec(bareName(source));
  const no = findInteger(first.metadata, "split.no") ?? 0;
  if (no !== 0) {
    fail(
      "gguf/split",
      `${source.name}: is shard ${no + 1} of ${nShards}; open the first one, …-00001-of-${fiveDigits(nShards)}.gguf`,
    );
  }
  if (match === null || Number(match[2]) !== 1 || Number(match[3]) !== nShards) {
    fail(
      "gguf/split",
      `${source.name}: is the first of ${nShards} shards, so its name must end in ` +
        `-00001-of-${fiveDigits(nShards)}.gguf`,
    );
  }
  return Array.from({ length: nShards }, (_, i) => `${match[1]}-${fiveDigits(i + 1)}-of-${fiveDigits(nShards)}.gguf`);
}

/** The last part of a source's path or URL. */
export function bareName(source: ByteSource): string {
  const path = /^[a-z]+:\/\//i.test(source.name) ? source.name.split(/[?#]/)[0]! : source.name;
  return path.split(/[\\/]/).pop()!;
}

function fiveDigits(value: number): string {
  return String(value).padStart(5, "0");
}

async function openShard(openSibling: OpenSibling, name: string): Promise<ByteSource> {
  try {
    return await openSibling(name);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail(
      "gguf/split",
      `shard ${quoted(name)} cannot be opened (${reason}); all shards must lie side by side`,
      error,
    );
  }
}

async function readShard(source: ByteSource, no: number, nShards: number): Promise<GgufFile> {
  const shard = await readGguf(source);
  const foundNo = findInteger(shard.metadata, "split.no");
  const foundCount = findInteger(shard.metadata, "split.count");
  if (foundNo !== no || foundCount !== nShards) {
    fail(
      "gguf/split",
      `${source.name}: wanted split.no ${no} of split.count ${nShards}, found ${foundNo ?? "none"} ` +
        `of ${foundCount ?? "none"}; ` +
        `the shards belong to different models`,
    );
  }
  return shard;
}

function merge(shards: readonly GgufFile[]): GgufFile {
  const tensors = new Map<string, TensorInfo>();
  for (const shard of shards) {
    for (const [name, info] of shard.tensors) {
      if (tensors.has(name)) fail("gguf/duplicate", `tensor ${quoted(name)}: appears in two shards`);
      tensors.set(name, info);
    }
  }
  const [first] = shards;
  const wanted = findInteger(first!.metadata, "split.tensors.count");
  if (wanted !== undefined && wanted !== tensors.size) {
    fail(
      "gguf/split",
      `split.tensors.count is ${wanted}, the shards hold ${tensors.size} tensors; a shard belongs to another model`,
    );
  }
  return { ...first!, tensors, sources: shards.flatMap((shard) => shard.sources) };
}
