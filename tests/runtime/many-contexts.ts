/**
 * Sixteen contexts of one model, each with a life of its own: it comes when it likes, asks for ids and logits after
 * texts of any length, aborts, forks, is saved and restored. Every answer is compared with the one of a model that
 * nobody else asks. Runs anywhere: nothing here is of Node.
 */
import type { AnyContext } from "../../src/index.ts";
import { type Random, seededRandom } from "../synthetic/random.ts";
import type { SuiteModel } from "./suite.ts";

const N_CONTEXTS = 16;
/** Turns of each. */
const N_TURNS = 6;

export interface ManyContexts {
  /** The model that all share. */
  readonly model: SuiteModel;
  /** The same, with room for one context. */
  readonly alone: SuiteModel;
  readonly contextLength: number;
  readonly seed: number;
}

/** @returns answers that were compared @throws Error that names the first that is not the one given alone */
export async function manyContexts(given: ManyContexts): Promise<number> {
  const counts = await Promise.all(Array.from({ length: N_CONTEXTS }, (_, i) => live(given, i)));
  return counts.reduce((sum, n) => sum + n, 0);
}

async function live({ model, alone, contextLength, seed }: ManyContexts, number: number): Promise<number> {
  const random = seededRandom(seed * N_CONTEXTS + number),
    below = (n: number): number => random.u32() % n;
  await pause(below(30));
  let context = await model.context(),
    nCompared = 0;
  for (let turn = 0; turn < N_TURNS; turn++) {
    const ids = await nextIds(context, random, contextLength, model.vocabSize),
      kind = below(6);
    if (kind === 0) context = await replace(context, await context.fork());
    else if (kind === 1) context = await replace(context, await model.restore(await context.save()));
    else if (kind === 2) {
      const logits = (await alone.logits(ids)).slice(-model.vocabSize);
      expectSame(await context.logits(ids), logits, `context ${number}: logits after ${ids.length} ids`);
      nCompared++;
    } else {
      await write({ context, alone, ids, random, name: `context ${number}` });
      nCompared++;
    }
    await pause(below(10));
  }
  await context.close();
  return nCompared;
}

/** New ids behind a part of its own, or behind what all contexts begin with. */
async function nextIds(
  context: AnyContext,
  random: Random,
  contextLength: number,
  vocabSize: number,
): Promise<number[]> {
  const own = await context.ids,
    common = Array.from({ length: 70 }, (_, i) => (i * 29 + 5) % vocabSize);
  const beginning = random.u32() % 3 === 0 ? common : own.slice(0, random.u32() % (own.length + 1)),
    more = Array.from({ length: 1 + (random.u32() % 40) }, () => random.u32() % vocabSize);
  return [...beginning, ...more].slice(0, contextLength - 1);
}

interface Writing {
  readonly context: AnyContext;
  readonly alone: SuiteModel;
  readonly ids: readonly number[];
  readonly random: Random;
  readonly name: string;
}

async function write({ context, alone, ids, random, name }: Writing): Promise<void> {
  const options = { maxTokens: 1 + (random.u32() % 12), seed: random.u32() % 9, ignoreEnd: true },
    abort = new AbortController(),
    abortAt = random.u32() % 4 === 0 ? random.u32() % 6 : -1,
    found: number[] = [];
  const speculate = random.u32() % 3 === 0 ? "lookup" : "off";
  for await (const { id } of context.generate(ids, { ...options, speculate, signal: abort.signal })) {
    found.push(id);
    if (found.length === abortAt) abort.abort();
  }
  const wanted = (await alone.generate(ids, options).result()).ids;
  const until = abortAt > 0 && abortAt < wanted.length ? found.length : wanted.length;
  if (found.length < abortAt && found.length < wanted.length)
    throw new Error(`${name}: ended after ${found.length} ids`);
  expectSame(found, wanted.slice(0, until), `${name}: ids after ${ids.length}`);
}

async function replace(old: AnyContext, next: AnyContext): Promise<AnyContext> {
  await old.close();
  return next;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function expectSame(found: ArrayLike<number>, wanted: ArrayLike<number>, what: string): void {
  const isSame = found.length === wanted.length && Array.prototype.every.call(found, (x, i) => Object.is(x, wanted[i]));
  if (!isSame) throw new Error(`${what}: ${found.length} numbers, not those given alone (${wanted.length})`);
}
