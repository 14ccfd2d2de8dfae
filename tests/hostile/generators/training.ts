/**
 * What a training reads, made wrong by someone who knows its formats: checkpoints whose digests are right and whose
 * header, state, vocabulary or numbers are not, logs, data files, and folders of master weights. Each is read as
 * `onebit train --resume` or `load` reads it; a training that is taken up is run to its end and exported.
 */
import { gzipSync } from "node:zlib";
import type { Random } from "../../synthetic/random.ts";
import { bytesSource } from "../../../src/core/byte-source.ts";
import { OnebitError } from "../../../src/core/errors.ts";
import type { Platform } from "../../../src/core/platform.ts";
import type { JsonObject } from "../../../src/files/json.ts";
import { load } from "../../../src/load.ts";
import { nodeFileStore } from "../../../src/platform/node/files.ts";
import { nodePlatform } from "../../../src/platform/node/platform.ts";
import { openFile } from "../../../src/platform/node/source.ts";
import {
  type Checkpoint,
  type CheckpointArray,
  decodeCheckpoint,
  encodeCheckpoint,
} from "../../../src/train/checkpoint-file.ts";
import { readTextFile } from "../../../src/train/text-file.ts";
import { type TrainingOptions, openTraining } from "../../../src/train/open.ts";
import { hfFolder } from "../../model/hf-folder.ts";
import { FOLDER, memoryPlatform } from "../../model/memory-platform.ts";
import { FaultyFiles } from "../../platform/node/faulty-files.ts";
import { grammarText } from "../../train/train-text.ts";
import type { Attempt, HostileGenerator } from "./generator.ts";

const RECIPE: Omit<TrainingOptions, "platform"> = {
  preset: "tiny",
  dim: 64,
  depth: 1,
  heads: 1,
  headDim: 64,
  kvHeads: 1,
  ffHidden: 64,
  vocabSize: 264,
  seqLength: 8,
  batch: 1,
  steps: 4,
  warmupSteps: 1,
  checkpointEvery: 2,
  logEvery: 1,
  validateEvery: 2,
  validationWindows: 1,
  sampleEvery: 0,
  validationBytes: 40,
  text: grammarText(400),
  folder: "/run",
};
const CHECKPOINT = "/run/checkpoint-2.onebit",
  LOG = "/run/metrics.jsonl";

/** A training after two of its four steps. */
interface Genuine {
  readonly bytes: Uint8Array;
  readonly checkpoint: Checkpoint;
  readonly log: string;
}

const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
};

const genuine = once<Genuine>(async () => {
  const files = new FaultyFiles(),
    platform = platformOver(files);
  await using training = await openTraining({ ...RECIPE, platform });
  for await (const event of training) if (event.kind === "checkpoint") break;
  const bytes = files.read(CHECKPOINT)!;
  return {
    bytes,
    checkpoint: await decodeCheckpoint(bytesSource(bytes)),
    log: new TextDecoder().decode(files.read(LOG)),
  };
});

const masters = once(() =>
  hfFolder(
    { nEmbd: 64, nLayers: 1, nHeads: 2, nKvHeads: 1, headDim: 32, nFf: 64, nVocab: 32, subNorms: true },
    { modelType: "bitnet", linears: "masters", weights: "BF16" },
  ),
);

export const generator: HostileGenerator = {
  name: "training",
  // A training that is taken up takes 30 ms.
  weight: 0.04,
  async tryOne(random) {
    const kind = random.u32() % 10;
    if (kind < 4) return await tryCheckpoint(random);
    if (kind < 6) return await tryLog(random);
    return kind < 8 ? await tryData(random) : await tryMasters(random);
  },
};

async function outcomeOf(inputBytes: number, run: () => Promise<void>): Promise<Attempt> {
  try {
    await run();
    return { outcome: "accepted", inputBytes };
  } catch (error) {
    if (error instanceof OnebitError) return { outcome: error.code, inputBytes };
    throw error;
  }
}

function platformOver(files: FaultyFiles): Platform {
  const fs = files.begin();
  return { ...nodePlatform(), ...nodeFileStore(fs), openFile: (path) => openFile(path, fs) };
}

async function resume(checkpoint: Uint8Array, log: Uint8Array): Promise<void> {
  const files = new FaultyFiles();
  files.put(CHECKPOINT, checkpoint);
  files.put(LOG, log);
  await using training = await openTraining({ ...RECIPE, platform: platformOver(files), resume: true });
  for await (const event of training) void event;
  await training.gguf();
}

async function tryCheckpoint(random: Random): Promise<Attempt> {
  const { checkpoint, log, bytes } = await genuine();
  const changed = random.u32() % 3 === 0 ? await withHeader(bytes, random) : await withContents(checkpoint, random);
  return await outcomeOf(changed.length, () => resume(changed, new TextEncoder().encode(log)));
}

/**
 * Another header over the same data: where a liar about lengths and places begins. The digests are of the new bytes.
 */
async function withHeader(bytes: Uint8Array, random: Random): Promise<Uint8Array> {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(12, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(16, 16 + length))) as JsonObject;
  const text = JSON.stringify(changeSomewhere(header, random)),
    room = length - new TextEncoder().encode(text).length;
  const json = new TextEncoder().encode(text + " ".repeat(Math.max(0, room)));
  const digests = 64,
    data = Buffer.concat([bytes.subarray(0, 16), json, bytes.subarray(16 + length, bytes.length - digests)]);
  data.writeUInt32LE(random.u32() % 8 === 0 ? random.u32() : json.length, 12);
  const sha256 = async (block: Uint8Array): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(block)));
  const digest = await sha256(data);
  return new Uint8Array(Buffer.concat([data, digest, await sha256(digest)]));
}

/** What the writer would write for another state, or other numbers. */
async function withContents({ step, state, arrays }: Checkpoint, random: Random): Promise<Uint8Array> {
  const changed = random.u32() % 4 > 0 ? changeSomewhere(state, random) : state;
  const others = new Map(
    [...arrays].map(([name, array]) => [name, random.u32() % 4 === 0 ? oddNumbers(array, random) : array]),
  );
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeCheckpoint(random.u32() % 8 === 0 ? random.u32() : step, {
    state: changed as JsonObject,
    arrays: others,
  }))
    pieces.push(piece.slice());
  return new Uint8Array(Buffer.concat(pieces));
}

function oddNumbers(array: CheckpointArray, random: Random): CheckpointArray {
  if (random.u32() % 3 === 0) return array.slice(0, random.u32() % (array.length + 1));
  const odd = array.slice(),
    values = [NaN, Infinity, -Infinity, 3e38, 1e-45, -0, 0, 1, -1];
  for (let i = 1 + (random.u32() % 8); i > 0; i--)
    odd[random.u32() % odd.length] = values[random.u32() % values.length];
  return odd;
}

const ODD: readonly unknown[] = [
  0,
  -1,
  1,
  2,
  3,
  0.5,
  256,
  263,
  264,
  265,
  65_536,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e300,
  -1e300,
  "",
  "1",
  "a",
  "\0",
  "Ġ",
  "a b",
  null,
  true,
  [],
  {},
  [[]],
  "x".repeat(5000),
];

/** A copy of JSON in which one member or item, wherever it is, is another, twice there, or gone. */
function changeSomewhere(value: unknown, random: Random): unknown {
  if (typeof value !== "object" || value === null || random.u32() % 6 === 0) return ODD[random.u32() % ODD.length];
  if (Array.isArray(value)) {
    const copy: unknown[] = [...value],
      at = random.u32() % (copy.length + 1),
      how = random.u32() % 5;
    if (how === 0) copy.splice(at, 1);
    else if (how === 1) copy.splice(at, 0, copy[random.u32() % (copy.length || 1)]);
    else if (how === 2) copy.length = Math.min(copy.length, at);
    else copy[at] = changeSomewhere(copy[at], random);
    return copy;
  }
  const names = Object.keys(value),
    name = names[random.u32() % (names.length || 1)] ?? "more",
    copy: Record<string, unknown> = { ...value };
  if (random.u32() % 6 === 0) delete copy[name];
  else copy[random.u32() % 12 === 0 ? "__proto__" : name] = changeSomewhere(copy[name], random);
  return copy;
}

async function tryLog(random: Random): Promise<Attempt> {
  const { bytes, log } = await genuine(),
    lines = log.split("\n");
  for (let i = 1 + (random.u32() % 4); i > 0; i--) {
    const at = random.u32() % lines.length,
      line = lines[at];
    const others: readonly string[] = [
      line.slice(0, random.u32() % (line.length + 1)),
      "\0".repeat(random.u32() % 200),
      "[".repeat(random.u32() % 20_000),
      line.replace(/\d+/, String(random.u32())),
      line.replace(/:[^,]+/, ":1e999"),
      `${line}${line}`,
      '{"step":1e308,"tokens":-1,"elapsedMs":0}',
      "\uFEFF",
      "\r",
      line.replace("step", "__proto__"),
    ];
    lines.splice(at, random.u32() % 2, others[random.u32() % others.length]);
  }
  const text = Buffer.from(lines.join("\n"));
  for (let i = random.u32() % 3; i > 0; i--) text[random.u32() % text.length] = random.u32();
  return await outcomeOf(text.length, () => resume(bytes, new Uint8Array(text)));
}

async function tryData(random: Random): Promise<Attempt> {
  const text = grammarText(1 + (random.u32() % 5000), random.u32()),
    zipped = Buffer.from(gzipSync(text)),
    more = Buffer.from(gzipSync(text));
  const bomb = (): Buffer => gzipSync(Buffer.alloc(1 << (16 + (random.u32() % 8))));
  const forms: readonly (() => Buffer)[] = [
    () => zipped,
    () => zipped.subarray(0, random.u32() % zipped.length),
    () => Buffer.concat([zipped, more]),
    () => Buffer.concat([zipped, Buffer.alloc(random.u32() % 100)]),
    bomb,
    () => (zipped.writeUInt32LE(random.u32(), zipped.length - 4), zipped),
    () => ((zipped[random.u32() % zipped.length] ^= 1 << (random.u32() % 8)), zipped),
    () => Buffer.from(text),
    () => Buffer.alloc(0),
  ];
  const data = new Uint8Array(forms[random.u32() % forms.length]()),
    maxBytes = random.u32() % 2 === 0 ? {} : { maxBytes: 1 + (random.u32() % 10_000) };
  // What it inflates to is asked for, and is what it may hold.
  let inflatedBytes = 0;
  const attempt = await outcomeOf(data.length, async () => {
    const read = await readTextFile(bytesSource(data), maxBytes);
    inflatedBytes = read.length;
    await using training = await openTraining({
      ...RECIPE,
      platform: nodePlatform(),
      folder: undefined,
      text: read.subarray(0, 2000),
      validationBytes: 1,
    });
    void training;
  });
  return { ...attempt, inputBytes: data.length + inflatedBytes };
}

async function tryMasters(random: Random): Promise<Attempt> {
  const files = { ...(await masters()) },
    weights = Buffer.from(files["model.safetensors"]),
    length = Number(weights.readBigUInt64LE(0));
  if (random.u32() % 3 > 0) {
    const json = new TextEncoder().encode(
      JSON.stringify(changeSomewhere(JSON.parse(weights.toString("utf8", 8, 8 + length)), random)),
    );
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(json.length));
    files["model.safetensors"] = new Uint8Array(Buffer.concat([size, json, weights.subarray(8 + length)]));
  } else {
    // Numbers of the masters: infinite, not numbers, all zero.
    const changed = new Uint8Array(weights),
      begin = 8 + length,
      at = begin + 2 * (random.u32() % ((changed.length - begin - 512) >> 1));
    changed.fill([0x7f, 0xff, 0x00, 0x80][random.u32() % 4], at, at + 2 * (1 + (random.u32() % 256)));
    files["model.safetensors"] = changed;
  }
  if (random.u32() % 4 === 0)
    files["config.json"] = new TextEncoder().encode(
      JSON.stringify(changeSomewhere(JSON.parse(new TextDecoder().decode(files["config.json"])), random)),
    );
  const platform = memoryPlatform(files),
    inputBytes = Object.values(files).reduce((sum, { length: bytes }) => sum + bytes, 0);
  return await outcomeOf(inputBytes, async () => {
    await using model = await load(FOLDER, { platform, threads: 1, contextLength: 16 });
    await model.generate([1, 2, 3], { maxTokens: 2, temperature: 0 }).result();
  });
}
