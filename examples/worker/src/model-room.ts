/**
 * The models of this isolate. Everything that runs in an isolate, requests and objects alike, shares its 128 MB; so here is
 * one account of what models take. A model is planned from its header first, and refused where it does not fit.
 */
import { type ByteSource, type Model, OnebitError, load } from "onebit";
import type { WaitUntil } from "./cloudflare.ts";

/** Of the 128 MB that an isolate has. The rest is for code, the texts of requests, and the default model's file (1 MB). */
const LIMIT_BYTES = 100e6;

/** Keys and values of 8 bits: TriLM 99M takes 134 MB for those of its 2048 positions in floats. A `contextLength` here takes less. */
const OPTIONS = { kvType: "q8" } as const;

export interface Lease {
  readonly model: Model;
  /** The model stays for the next who asks, until somebody needs its memory. */
  release(): void;
}

interface Resident {
  readonly model: Model;
  users: number;
}

/** By key, least recently used first. */
const residents = new Map<string, Resident>();
let lastLoad: Promise<unknown> = Promise.resolve();

/**
 * The model that stands under `key`, loaded where none does: from a source, or the one in the package.
 * @throws OnebitError as `load`; `model/not-enough-memory` where it does not fit, or not beside those in use
 */
export async function borrowModel(key: string, open: () => Promise<ByteSource | undefined>, context: WaitUntil): Promise<Lease> {
  // One load at a time, or two would be given the same room.
  const borrowing = lastLoad.then(async () => {
    const resident = residents.get(key) ?? (await loadBesideOthers(open));
    resident.users++;
    // Last in the order of use.
    residents.delete(key);
    residents.set(key, resident);
    return { model: resident.model, release: () => void resident.users-- };
  });
  lastLoad = borrowing.catch(() => {});
  // It goes on when the one who asked leaves: others wait for it.
  context.waitUntil(lastLoad);
  return await borrowing;
}

async function loadBesideOthers(open: () => Promise<ByteSource | undefined>): Promise<Resident> {
  for (;;) {
    const source = await open(), limit = { memoryLimitBytes: Math.max(1, LIMIT_BYTES - usedBytes()) };
    try {
      return { model: await load(source, source === undefined ? limit : { ...OPTIONS, ...limit }), users: 0 };
    } catch (error) {
      if (!isTooLarge(error) || !(await closeAnIdleModel())) throw error;
    }
  }
}

/** Planned, and taken: WebAssembly memory of the models that are loaded. */
export function usedBytes(): number {
  return [...residents.values()].reduce((sum, { model }) => sum + model.memory.wasmBytes, 0);
}

export function isTooLarge(error: unknown): boolean {
  return error instanceof OnebitError && error.code === "model/not-enough-memory";
}

async function closeAnIdleModel(): Promise<boolean> {
  for (const [key, { model, users }] of residents) {
    if (users > 0) continue;
    residents.delete(key);
    await model.close();
    return true;
  }
  return false;
}
