/**
 * Chooses the files of a repository that are the model: the named one, or the one that suits this engine best.
 *
 * GGUF names carry their quantization ("Bonsai-8B-Q1_0.gguf") only by custom, so a name decides what to try, never how
 * to read a file.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import { SHARDS_MAX } from "../core/limits.ts";

/** A file of a repository, or of a folder of the cache. */
export interface FileEntry {
  readonly path: string;
  readonly sizeBytes: number | undefined;
}

export interface Choice {
  /** Every file needed; open the first. */
  readonly paths: readonly string[];
  readonly format: "gguf" | "safetensors" | "other";
  /** Why this one, for people. */
  readonly reason: string;
  /** Main files of the repository's other models, best first. */
  readonly others: readonly string[];
}

/** Sizes by path. */
type Listing = ReadonlyMap<string, number | undefined>;

interface Candidate extends Choice {
  readonly rank: number;
  readonly sizeBytes: number;
}

/**
 * Labels in names, best first, matched as whole words. Within a row the smaller file wins, as this engine repacks all
 * of a row to the same speed.
 */
const LABELS: readonly (readonly [label: RegExp, what: string])[] = [
  [/(?:^|[-_.])(?:i2_s|tq[12]_0|q1_0|p?q2_0|ptq1_0|ternary|1[._]58bit|1bit)(?=$|[-_.])/, "1-bit or ternary weights"],
  [/(?:^|[-_.])(?:q4_0|q4_k(?:_[sml])?)(?=$|[-_.])/, "4-bit weights"],
  [/(?:^|[-_.])(?:q8_0)(?=$|[-_.])/, "8-bit weights"],
  [/(?:^|[-_.])(?:q6_k)(?=$|[-_.])/, "6-bit weights"],
  [/(?:^|[-_.])(?:f16|fp16|bf16)(?=$|[-_.])/, "16-bit weights"],
  [/(?:^|[-_.])(?:f32|fp32)(?=$|[-_.])/, "32-bit weights"],
];
const RANK_UNLABELLED = 0.5;
/** Types that the engine refuses; try one only when the user names it, and let the engine report the error. */
const UNREADABLE = /(?:^|[-_.])(?:tl[12]|iq\d\w*|q[23]_k\w*|q5_\w+|mxfp4|nvfp4)(?=$|[-_.])/;
/** GGUF files that accompany a model but are none. */
const COMPANION = /(?:^|[-_./])(?:mmproj|imatrix|vae|lora|adapter)(?=$|[-_./])/;
const SHARD = /^(.*)-(\d{5})-of-(\d{5})\.(gguf|safetensors)$/;
const FOLDER_FILES = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
];

/**
 * Chooses the model among `files`.
 *
 * @param wanted a path that somebody named; any shard of a split model stands for all of it
 * @param where for messages
 * @throws OnebitError `hub/not-found` when there is no such path, `hub/no-model` when there is nothing to choose or
 *   shards are missing
 */
export function chooseFiles(files: readonly FileEntry[], wanted: string | undefined, where: string): Choice {
  // A list may have 100,000 names, and we look up each.
  const listing: Listing = new Map(files.map(({ path, sizeBytes }) => [path, sizeBytes]));
  if (wanted !== undefined) return named(listing, wanted, where);
  const candidates = [...ggufCandidates(listing, where), ...folderCandidates(listing, where)].sort(better);
  const [best, ...others] = candidates;
  if (best === undefined) {
    return fail(
      "hub/no-model",
      `${where}: has no model this engine reads: wanted a GGUF file, or config.json with safetensors; it ` +
        `has ${list([...listing.keys()])}`,
    );
  }
  return { paths: best.paths, format: best.format, reason: best.reason, others: others.map(({ paths }) => paths[0]) };
}

function better(a: Candidate, b: Candidate): number {
  return a.rank - b.rank || a.sizeBytes - b.sizeBytes || (a.paths[0] < b.paths[0] ? -1 : 1);
}

function named(files: Listing, wanted: string, where: string): Choice {
  if (!files.has(wanted)) {
    const near = [...files.keys()].filter((path) => /\.(?:gguf|safetensors)$/i.test(path));
    fail("hub/not-found", `${where}: has no file ${quoted(wanted)}; models in it: ${list(near)}`);
  }
  const reason = "as named";
  if (/\.gguf$/i.test(wanted)) return { paths: shardsOf(wanted, files, where), format: "gguf", reason, others: [] };
  if (!/\.safetensors$/i.test(wanted)) return { paths: [wanted], format: "other", reason, others: [] };
  const folder = wanted.slice(0, wanted.lastIndexOf("/") + 1);
  return {
    paths: folderFiles(files, folder, shardsOf(wanted, files, where)),
    format: "safetensors",
    reason,
    others: [],
  };
}

function ggufCandidates(files: Listing, where: string): Candidate[] {
  const mains = [...files.keys()].filter(
    (path) =>
      /\.gguf$/i.test(path) && !COMPANION.test(path.toLowerCase()) && (SHARD.exec(path)?.[2] ?? "00001") === "00001",
  );
  const readable = mains.filter(
    (path) =>
      !UNREADABLE.test(
        baseName(path)
          .toLowerCase()
          .replace(/\.gguf$/, ""),
      ),
  );
  return readable.map((path) => {
    const [rank, what] = rankOf(baseName(path));
    const paths = shardsOf(path, files, where);
    return {
      paths,
      format: "gguf" as const,
      rank,
      reason: `a GGUF file of ${what}`,
      sizeBytes: totalBytes(files, paths),
      others: [],
    };
  });
}

function rankOf(name: string): readonly [rank: number, what: string] {
  const lower = name.toLowerCase(),
    at = LABELS.findIndex(([label]) => label.test(lower));
  return at < 0 ? [RANK_UNLABELLED, "unknown type"] : [at, LABELS[at][1]];
}

/** A safetensors folder ranks below 1-bit GGUF files and above all others: for 1-bit models it is the original. */
const RANK_FOLDER = 0.75;

/** Only at the top: subfolders hold other precisions, adapters, optimizers. */
function folderCandidates(files: Listing, where: string): Candidate[] {
  if (!files.has("config.json")) return [];
  const shard = [...files.keys()].find((path) => /^model-00001-of-\d{5}\.safetensors$/.test(path));
  const weights = files.has("model.safetensors")
    ? ["model.safetensors"]
    : shard === undefined
      ? []
      : shardsOf(shard, files, where);
  if (weights.length === 0) return [];
  const paths = folderFiles(files, "", weights);
  return [
    {
      paths,
      format: "safetensors",
      rank: RANK_FOLDER,
      reason: "a Hugging Face folder",
      sizeBytes: totalBytes(files, paths),
      others: [],
    },
  ];
}

function folderFiles(files: Listing, folder: string, weights: readonly string[]): string[] {
  const wanted = [...FOLDER_FILES, "model.safetensors.index.json"].map((name) => `${folder}${name}`);
  return [...weights, ...wanted.filter((path) => files.has(path))];
}

/** All shards of the model that `path` belongs to, the first one first. */
export function shardNames(path: string): string[] {
  const match = SHARD.exec(path);
  if (match === null) return [path];
  const [, stem, , count, extension] = match,
    nShards = Number(count);
  if (nShards < 1 || nShards > SHARDS_MAX)
    fail("hub/no-model", `${quoted(path)}: is one of ${nShards} files by its name; wanted 1 to ${SHARDS_MAX}`);
  return Array.from(
    { length: nShards },
    (_, i) => `${stem}-${String(i + 1).padStart(5, "0")}-of-${count}.${extension}`,
  );
}

function shardsOf(path: string, files: Listing, where: string): string[] {
  const names = shardNames(path),
    missing = names.filter((name) => !files.has(name));
  if (missing.length > 0)
    fail("hub/no-model", `${where}: ${quoted(path)} is one of ${names.length} files; ${list(missing)} not there`);
  return names;
}

function totalBytes(files: Listing, paths: readonly string[]): number {
  return paths.reduce((sum, path) => sum + (files.get(path) ?? 0), 0);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

const LISTED_MAX = 8;

function list(paths: readonly string[]): string {
  if (paths.length === 0) return "none";
  const more = paths.length > LISTED_MAX ? ` and ${paths.length - LISTED_MAX} more` : "";
  return paths.slice(0, LISTED_MAX).map(quoted).join(", ") + more;
}
