/**
 * The models of this isolate. Everything that runs in an isolate, requests and objects alike, shares its 128 MB; so
 * here is one account of what models take. A model is planned from its header first, and refused where it does not fit.
 *
 * One model of a file serves all: its KV cache has pages for many conversations, each in a group of its own, and those
 * that are answered at the same time are computed together. What rested longest makes room there; its ids are read
 * again when it goes on.
 */
import { type ByteSource, type Model, OnebitError, inspect, load } from "onebit";
import type { WaitUntil } from "./cloudflare.ts";
import { Life } from "./life.ts";

/**
 * Of the 128 MB that an isolate has. The rest is for code, the tokenizer and the header it comes from (28 MB with
 * 50,000 tokens), the texts of requests, and the default model's file (1 MB).
 */
const LIMIT_BYTES = 96e6;

/** What a model takes for more conversations than one: another model may come beside it. */
const SHARED_BYTES = 32e6;

/** For a hundred conversations of two pages. */
const POSITIONS_WANTED = 12_800;
const PAGE_POSITIONS = 64;

/** Positions of one conversation, where the model was trained for as many. */
const CONTEXT_LENGTH_MAX = 4096;

/** Keys and values of 8 bits: TriLM 99M takes 134 MB for those of its 2048 positions in floats. */
const KV_TYPE = "q8";

/** A memory grows by so much. */
const WASM_PAGE_BYTES = 65_536;

/** How often a request looks whether another has loaded its model. */
const LOOK_MS = 50;

export interface Wanted {
  /** The object in R2; undefined: the model in the package. */
  readonly file: string | undefined;
  open(file: string): Promise<ByteSource>;
}

export interface Lease {
  readonly model: Model;
  /** The model stays until somebody else needs its memory. */
  release(): void;
}

/** Room for one model: planned, being loaded, or loaded. */
interface Place {
  readonly file: string | undefined;
  readonly sizeBytes: number;
  readonly loading: Life;
  model?: Model;
  /** What those who wait for it are told. */
  failure?: unknown;
  readonly users: Set<Life>;
}

/** It would fit if other models were not being used. */
export class NoRoomNow extends OnebitError {
  readonly bytesInUse = usedBytes();
}

/** Least recently used first. */
const places: Place[] = [];

/**
 * The model of a file, which others may be using too; loaded if need be.
 * @throws OnebitError as `load`; {@link NoRoomNow}
 */
export async function borrowModel(wanted: Wanted, context: WaitUntil): Promise<Lease> {
  for (;;) {
    const place = placeOf(wanted) ?? (await newPlace(wanted, context));
    if (place?.model === undefined) await (place && loadedByAnother(place));
    else if (places.includes(place)) return lease(place, place.model);
  }
}

function placeOf({ file }: Wanted): Place | undefined {
  return places.find((place) => place.file === file);
}

function lease(place: Place, model: Model): Lease {
  const life = new Life();
  place.users.add(life);
  // Last in the order of use.
  places.push(...places.splice(places.indexOf(place), 1));
  return {
    model,
    release() {
      life.end();
      place.users.delete(life);
    },
  };
}

/** Undefined where another request was faster: then look again. */
async function newPlace(wanted: Wanted, context: WaitUntil): Promise<Place | undefined> {
  const source = wanted.file === undefined ? undefined : await wanted.open(wanted.file),
    { sizeBytes, options } = await planOf(source);
  if (placeOf(wanted) !== undefined) return undefined;
  // Nothing is awaited from here until the room is taken. What can never fit, `load` refuses by the header.
  if (sizeBytes <= LIMIT_BYTES && !makeRoom(sizeBytes)) {
    throw new NoRoomNow(
      "model/not-enough-memory",
      `wanted ${megabytes(sizeBytes)} for the model beside ${megabytes(usedBytes())} of others that are ` +
        "answering: ask again in a moment",
    );
  }
  const place: Place = {
    file: wanted.file,
    sizeBytes: Math.min(sizeBytes, LIMIT_BYTES),
    loading: new Life(),
    users: new Set(),
  };
  if (sizeBytes <= LIMIT_BYTES) places.push(place);
  const loading = loadInto(place, source, options);
  // It goes on when the one who asked leaves: others wait for it.
  context.waitUntil(loading);
  await loading;
  if (place.failure !== undefined) throw place.failure;
  return place;
}

/** With as many conversations as there is room for, but one at least. */
async function planOf(
  source: ByteSource | undefined,
): Promise<{ sizeBytes: number; options: Parameters<typeof load>[1] }> {
  const { config, memory } = await inspect(source, { kvType: KV_TYPE, memoryLimitBytes: LIMIT_BYTES, weights: false }),
    contextLength = Math.min(config.contextLengthTrained, CONTEXT_LENGTH_MAX),
    pageBytes = memory.kvBytes / Math.ceil(contextLength / PAGE_POSITIONS);
  const nMore = Math.floor((SHARED_BYTES - memory.wasmBytes) / pageBytes),
    kvPositions = Math.max(contextLength, Math.min(contextLength + nMore * PAGE_POSITIONS, POSITIONS_WANTED));
  const moreBytes = (Math.ceil(kvPositions / PAGE_POSITIONS) - Math.ceil(contextLength / PAGE_POSITIONS)) * pageBytes;
  return {
    sizeBytes: Math.ceil((memory.wasmBytes + moreBytes) / WASM_PAGE_BYTES) * WASM_PAGE_BYTES,
    options: { kvType: KV_TYPE, contextLength, kvPositions, memoryLimitBytes: LIMIT_BYTES },
  };
}

/** Never rejects. */
async function loadInto(
  place: Place,
  source: ByteSource | undefined,
  options: Parameters<typeof load>[1],
): Promise<void> {
  try {
    const model = await load(source, options);
    place.model = model;
    // Whoever took this request for dead has given its room away.
    if (!places.includes(place)) await model.close();
  } catch (error) {
    place.failure = error;
    remove(place);
  } finally {
    place.loading.end();
  }
}

async function loadedByAnother(place: Place): Promise<void> {
  while (place.model === undefined && place.failure === undefined) {
    if (place.loading.isOver) return remove(place);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  if (place.failure !== undefined) throw place.failure;
}

/** Closes models at rest, least recently used first, where that makes room enough. */
function makeRoom(sizeBytes: number): boolean {
  const atRest = places.filter(isAtRest),
    missing = (): number => usedBytes() + sizeBytes - LIMIT_BYTES;
  if (missing() > atRest.reduce((sum, place) => sum + place.sizeBytes, 0)) return false;
  for (const place of atRest) {
    if (missing() <= 0) break;
    remove(place);
    void place.model?.close();
  }
  return true;
}

function isAtRest({ model, users }: Place): boolean {
  for (const user of users) if (user.isOver) users.delete(user);
  return model !== undefined && users.size === 0;
}

function remove(place: Place): void {
  const at = places.indexOf(place);
  if (at >= 0) places.splice(at, 1);
}

/** Planned: WebAssembly memory of the models that are loaded, or being loaded. */
export function usedBytes(): number {
  return places.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
