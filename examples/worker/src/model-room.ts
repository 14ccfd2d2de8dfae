/**
 * The models of this isolate. Everything that runs in an isolate, requests and objects alike, shares its 128 MB; so
 * here is one account of what models take. A model is planned from its header first, and refused where it does not fit.
 *
 * A model that nobody uses is handed on as it is to the next who wants the same file: a closed one would go on taking
 * its memory until the engine collects garbage, which is long after the isolate is full.
 */
import { type ByteSource, type Model, OnebitError, inspect, load } from "onebit";
import type { WaitUntil } from "./cloudflare.ts";
import { Life } from "./life.ts";

/**
 * Of the 128 MB that an isolate has. The rest is for code, the tokenizer and the header it comes from (28 MB with
 * 50,000 tokens), the texts of requests, and the default model's file (1 MB).
 */
const LIMIT_BYTES = 96e6;

/**
 * A second model of a file, for another conversation's keys and values, is loaded up to here only: beyond it,
 * conversations take turns with those that are there, and their ids are read again.
 */
const COPIES_LIMIT_BYTES = 20e6;

/**
 * Keys and values of 8 bits: TriLM 99M takes 134 MB for those of its 2048 positions in floats. A `contextLength` here
 * takes less.
 */
const OPTIONS = { kvType: "q8" } as const;

/** How often a request looks whether another has loaded its model. */
const LOOK_MS = 50;

export interface Wanted {
  /** The object in R2; undefined: the model in the package. */
  readonly file: string | undefined;
  /** Whose keys and values the model's cache holds. */
  readonly owner: string;
  open(file: string): Promise<ByteSource>;
}

export interface Lease {
  readonly model: Model;
  /** The model stays for its owner, until somebody else needs it or its memory. */
  release(): void;
}

/** Room for one model: planned, being loaded, or loaded. */
interface Place {
  readonly file: string | undefined;
  owner: string;
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
 * The owner's model: as it was left, or emptied of what another owner left, or loaded.
 * @throws OnebitError as `load`; {@link NoRoomNow}
 */
export async function borrowModel(wanted: Wanted, context: WaitUntil): Promise<Lease> {
  for (;;) {
    const place = placeOf(wanted) ?? takeOver(wanted) ?? (await newPlace(wanted, context));
    if (place?.model === undefined) await (place && loadedByAnother(place));
    else if (places.includes(place)) return lease(place, place.model);
  }
}

function placeOf({ file, owner }: Wanted): Place | undefined {
  return places.find((place) => place.file === file && place.owner === owner);
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

/** A model of the same file that is at rest, where there shall be no more of them. */
function takeOver({ file, owner }: Wanted): Place | undefined {
  const place = places.find((other) => other.file === file && isAtRest(other));
  if (place === undefined || usedBytes() + place.sizeBytes <= COPIES_LIMIT_BYTES) return undefined;
  place.owner = owner;
  // What the last owner said must not show, in no count of cached tokens either. It has its turn before what the new
  // one asks.
  void place.model?.truncate(0);
  return place;
}

/** Undefined where another request was faster: then look again. */
async function newPlace(wanted: Wanted, context: WaitUntil): Promise<Place | undefined> {
  const alike = places.find(({ file }) => file === wanted.file);
  const source = wanted.file === undefined ? undefined : await wanted.open(wanted.file);
  const options = { ...(source === undefined ? {} : OPTIONS), memoryLimitBytes: LIMIT_BYTES };
  const sizeBytes = alike?.sizeBytes ?? (await inspect(source, { ...options, weights: false })).memory.wasmBytes;
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
    owner: wanted.owner,
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
