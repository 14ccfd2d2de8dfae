/**
 * Calls of every kind to one model and its contexts, by clients who pause, abort, abandon and close it under each
 * other. Every answer is compared with the one that the same model gives alone: whole, or as far as it was let go on.
 * Runs in Node and in pages.
 */
import { type Random, seededRandom } from "../synthetic/random.ts";
import type { AnyContext, Format, Model } from "../../src/index.ts";
import type { WorkerModel } from "../../src/web/worker-model.ts";

export type AnyModel = Model | WorkerModel;

const PROMPTS = ["ROMEO:", "\nJULIET:\nO", "KING HENRY V:\nOnce more unto the breach, dear friends", "It was"];
const N_CLIENTS = 6;
const FORMATS: readonly Format[] = [{ regex: "[A-Za-z ,.]{3,30}" }, { jsonSchema: { enum: ["yes", "no", 12] } }];

export interface MixedCalls {
  /** Opens the model that all share. */
  readonly open: () => Promise<AnyModel>;
  /** One that nobody else asks. */
  readonly alone: AnyModel;
  readonly seed: number;
  readonly durationMs: number;
  /** Default: 6. */
  readonly nClients?: number;
}

/** How often each kind of call was made. @throws Error that names the first answer that is not the one given alone */
export async function mixCalls({
  open,
  alone,
  seed,
  durationMs,
  nClients = N_CLIENTS,
}: MixedCalls): Promise<Readonly<Record<string, number>>> {
  const untilMs = Date.now() + durationMs,
    counts: Record<string, number> = {},
    shared = { model: await open() },
    oracle = createOracle(alone);
  const client = async (number: number): Promise<void> => {
    const random = seededRandom(seed * 100 + number),
      own: Scene["own"] = { model: undefined, context: undefined },
      kinds = Object.keys(CALLS);
    while (Date.now() < untilMs) {
      const kind = kinds[random.u32() % kinds.length];
      await CALLS[kind]({ shared, own, random, oracle, open });
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: nClients }, (_, number) => client(number)));
  await shared.model.close();
  return counts;
}

interface Scene {
  /** Whoever closes the model puts another in its place. */
  readonly shared: { model: AnyModel };
  /** The client's context of that model. */
  readonly own: { model: AnyModel | undefined; context: AnyContext | undefined };
  readonly random: Random;
  readonly oracle: ReturnType<typeof createOracle>;
  readonly open: MixedCalls["open"];
}

interface Ask {
  readonly prompt: string;
  readonly options: { readonly maxTokens: number; readonly seed: number; readonly format?: Format };
}

function createOracle(alone: AnyModel) {
  const answers = new Map<string, Promise<unknown>>();
  const once = <T>(key: string, ask: () => Promise<T>): Promise<T> => {
    const answer = answers.get(key) ?? ask();
    answers.set(key, answer);
    return answer as Promise<T>;
  };
  return {
    ids: ({ prompt, options }: Ask) =>
      once(JSON.stringify([prompt, options]), async () => (await alone.generate(prompt, options).result()).ids),
    logits: (ids: readonly number[]) => once(JSON.stringify(ids), () => alone.logits(ids)),
    vectors: (text: string) => once(`embed ${text}`, () => alone.embed([text])),
  };
}

const CALLS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  generate: (scene) => write(scene, {}),
  "generate, with pauses": (scene) =>
    write(scene, { pauseMs: scene.random.u32() % 8 === 0 ? 1500 : scene.random.u32() % 20 }),
  "generate, aborted": (scene) => write(scene, { abortMs: scene.random.u32() % 80 }),
  "generate, aborted in a pause": (scene) => write(scene, { abortMs: scene.random.u32() % 80, pauseMs: 100 }),
  "generate, left": (scene) => write(scene, { leaveAfter: 1 + (scene.random.u32() % 10) }),
  async "generate, abandoned"(scene) {
    const { random } = scene,
      { prompt, options } = newAsk(random),
      writer = await writerOf(scene);
    const pieces = writer.generate(prompt, options)[Symbol.asyncIterator]();
    for (let n = random.u32() % 4; n >= 0; n--) await pieces.next().catch(ofAnEnd);
  },
  async logits({ shared, random, oracle }) {
    const ids = Array.from({ length: 1 + (random.u32() % 20) }, (_, i) => 1 + ((i * 7) % 60)),
      logits = await shared.model.logits(ids).catch(ofAnEnd);
    if (logits && !same(logits, await oracle.logits(ids))) throw new Error(`logits of ${ids.length} ids differ`);
  },
  async "fork or close a context"({ own, random }) {
    const { context } = own;
    own.context = random.u32() % 2 === 0 ? await attempt(() => context?.fork()) : undefined;
    await attempt(() => context?.close());
  },
  async "save and restore a context"({ own }) {
    const { model, context } = own,
      bytes = await attempt(() => context?.save());
    if (model === undefined || bytes === undefined) return;
    own.context = await attempt<AnyContext>(() => model.restore(bytes));
    await attempt(() => context?.close());
  },
  async embed({ shared, random, oracle }) {
    const text = PROMPTS[random.u32() % PROMPTS.length],
      vectors = await shared.model.embed([text]).catch(ofAnEnd);
    if (vectors && !same(vectors[0], (await oracle.vectors(text))[0]))
      throw new Error(`the vector of ${JSON.stringify(text)} differs`);
  },
  async "close, seldom"({ shared, random, open }) {
    if (random.u32() % 8 !== 0) return;
    const next = await open(),
      { model } = shared;
    shared.model = next;
    await model.close();
  },
};

/** The model, or the client's own context, which it opens anew in each model. */
async function writerOf({ shared: { model }, own, random }: Scene): Promise<AnyModel | AnyContext> {
  if (random.u32() % 2 === 0) return model;
  if (own.model !== model || own.context === undefined) {
    own.model = model;
    own.context = await attempt<AnyContext>(() => model.context());
  }
  return own.context ?? model;
}

function newAsk(random: Random): Ask {
  return {
    prompt: PROMPTS[random.u32() % PROMPTS.length],
    options: {
      maxTokens: 1 + (random.u32() % 40),
      seed: random.u32() % 6,
      ...(random.u32() % 5 === 0 ? { format: FORMATS[random.u32() % FORMATS.length] } : {}),
    },
  };
}

interface Manner {
  readonly pauseMs?: number;
  readonly abortMs?: number;
  readonly leaveAfter?: number;
}

async function write(scene: Scene, { pauseMs, abortMs, leaveAfter }: Manner): Promise<void> {
  const { random, oracle } = scene,
    ask = newAsk(random),
    writer = await writerOf(scene),
    abort = new AbortController(),
    ids: number[] = [];
  const timer = abortMs === undefined ? undefined : setTimeout(() => abort.abort(), abortMs),
    pauseAt = random.u32() % 10;
  const speculate = random.u32() % 2 === 0 ? "lookup" : "off",
    generation = writer.generate(ask.prompt, { ...ask.options, speculate, signal: abort.signal });
  try {
    for await (const { id } of generation) {
      ids.push(id);
      if (ids.length === leaveAfter) break;
      if (pauseMs !== undefined && ids.length === pauseAt) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  } catch (error) {
    ofAnEnd(error);
  }
  clearTimeout(timer);
  const result = await generation.result().catch(ofAnEnd),
    alone = await oracle.ids(ask);
  // A worker may have written some pieces more than were read.
  const found = result?.ids ?? ids,
    wanted = result && result.stopReason !== "aborted" ? alone : alone.slice(0, found.length);
  if (!same(found, wanted) || !same(ids, alone.slice(0, ids.length)))
    throw new Error(
      `${JSON.stringify(ask)}: wanted ${alone.join()}, got ${ids.join()} and ${result?.stopReason} ${found.join()}`,
    );
}

/** What a model here throws at once, one in a worker later. */
async function attempt<T>(call: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    return ofAnEnd(error);
  }
}

/** What may end a call here: an abort, or that the model was closed. Everything else is thrown again. */
function ofAnEnd(error: unknown): undefined {
  const code = (error as { code?: string }).code;
  if (code !== "aborted" && code !== "model/closed") throw error;
}

function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.prototype.every.call(a, (value: number, i: number) => Object.is(value, b[i]));
}
