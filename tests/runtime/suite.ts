/**
 * What every runtime is asked to do with the package, and what it answered. Runs anywhere: nothing here is of Node.
 *
 * Answers to questions about numbers are returned, to be compared between runtimes; a check that fails is returned with
 * what it found, so that one run shows all there is to mend.
 */
import type {
  AnyContext,
  ChatMessage,
  EmbedOptions,
  GenerateOptions,
  Generation,
  LoadModelOptions,
} from "../../src/index.ts";
import type { Engine } from "../../src/model/engine-interface.ts";
import type { openTraining as OpenTraining } from "../../src/train.ts";
import inTheBox from "../default-model/expected.json" with { type: "json" };
import { idsHash } from "../tokenizer/corpus-hash.ts";
import tokenized from "./expected-ids.json" with { type: "json" };
import { manyContexts } from "./many-contexts.ts";
import trained from "./expected-training.json" with { type: "json" };

/** What models here and models in a worker share. */
export interface SuiteModel {
  readonly engine: Engine["engine"];
  readonly vocabSize: number;
  generate(
    prompt: string | readonly number[],
    options?: GenerateOptions,
  ): Pick<Generation, "result" | "text" | typeof Symbol.asyncIterator>;
  chat(messages: readonly ChatMessage[], options?: GenerateOptions): Pick<Generation, "result" | "text">;
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  logits(ids: readonly number[]): Promise<Float32Array>;
  context(): AnyContext | Promise<AnyContext>;
  restore(bytes: Uint8Array): Promise<AnyContext>;
  close(): Promise<void>;
}

/** Without a source: the model in the package. */
export type OpenModel = (source?: Uint8Array | Blob | string, options?: LoadModelOptions) => Promise<SuiteModel>;

/** The same numbers from every runtime. */
export interface Numbers {
  /** SHA-256 over the logits of {@link logitsHash}. */
  readonly logits: string;
  readonly ids: readonly number[];
  readonly chatIds: readonly number[];
  /** SHA-256 over two vectors. */
  readonly embedding: string;
  /** SHA-256 over a saved context: where they are the same, what one runtime has saved, another restores. */
  readonly saved: string;
}

export interface SuiteReport {
  readonly engine: Engine["engine"];
  readonly models: Readonly<Record<string, Numbers>>;
  /** "ok", or what went wrong. */
  readonly checks: Readonly<Record<CheckName, string>>;
}

/** Positions evaluated for the hash: as `bits.ts` has them, so that the published hashes are these. */
const N_IDS = 77;
/** Enough that a generation is still running when it is stopped. */
const LONG = { maxTokens: 200, temperature: 0, ignoreEnd: true } as const;

export interface SuiteSubject {
  readonly open: OpenModel;
  readonly openTraining: typeof OpenTraining;
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Of the first of the files, where the runtime takes paths or URLs. */
  readonly url?: string;
}

export async function runSuite({ open, openTraining, files, url }: SuiteSubject): Promise<SuiteReport> {
  const models: Record<string, Numbers> = {};
  let engine: Engine["engine"] | undefined;
  for (const [name, bytes] of Object.entries(files)) {
    const model = await open(bytes);
    engine ??= model.engine;
    nowAt(`numbers of ${name}`);
    models[name] = await numbersOf(model);
    await model.close();
  }
  if (engine === undefined) throw new Error("no models");
  const [bytes] = Object.values(files),
    [numbers] = Object.values(models);
  const checks = {} as Record<CheckName, string>;
  for (const name of Object.keys(CHECKS) as CheckName[]) {
    nowAt(name);
    checks[name] = await CHECKS[name]({ open, openTraining, bytes, url, numbers }).then(
      () => "ok",
      (error: Error) => `${error.name}: ${error.message}`,
    );
  }
  return { engine, models, checks };
}

/** What a page that comes to no end is asked: where was it? */
export function nowAt(step: string): void {
  (globalThis as { suiteStep?: string }).suiteStep = step;
}

async function numbersOf(model: SuiteModel): Promise<Numbers> {
  const logits = await logitsHash(model);
  const { ids } = await model.generate("Once upon a time", { maxTokens: 24, seed: 7 }).result();
  const { ids: chatIds } = await model
    .chat([{ role: "user", content: "Say <|im_end|> twice." }], { maxTokens: 12, temperature: 0 })
    .result();
  const vectors = await model.embed(["a cat", "a dog, asleep"], { pooling: "mean" });
  return { logits, ids, chatIds, embedding: await sha256(vectors), saved: await sha256([await savedBy(model)]) };
}

async function savedBy(model: SuiteModel): Promise<Uint8Array> {
  const context = await model.context();
  await context.logits(Array.from({ length: N_IDS }, (_, i) => (i * 31 + 7) % model.vocabSize));
  const bytes = await context.save();
  await context.close();
  return bytes;
}

async function logitsHash(model: SuiteModel): Promise<string> {
  return sha256([await model.logits(Array.from({ length: N_IDS }, (_, i) => (i * 7919 + 13) % model.vocabSize))]);
}

interface CheckInput {
  readonly open: OpenModel;
  readonly openTraining: typeof OpenTraining;
  readonly bytes: Uint8Array;
  readonly url: string | undefined;
  readonly numbers: Numbers;
}

export type CheckName = keyof typeof CHECKS;

const CHECKS = {
  async progress({ open, bytes }: CheckInput) {
    const seen: { loadedBytes: number; totalBytes: number }[] = [];
    await (await open(bytes, { onProgress: (progress) => void seen.push(progress) })).close();
    const last = seen.at(-1);
    expect(
      seen.length > 1 && last?.loadedBytes === last?.totalBytes,
      `progress up to the end, got ${JSON.stringify(last)}`,
    );
  },

  async stream({ open, bytes }: CheckInput) {
    await using(open(bytes), async (model) => {
      const generation = model.generate("Once", { maxTokens: 20, temperature: 0, ignoreEnd: true });
      const texts: string[] = [],
        ids: number[] = [];
      for await (const piece of generation) texts.push(piece.text), ids.push(piece.id);
      const result = await generation.result();
      expect(
        ids.length === 20 && result.ids.join() === ids.join(),
        `20 pieces with the ids of the result, got ${ids.length}`,
      );
      expect(result.text === texts.join(""), "the texts of the pieces, joined, are the text");
    });
  },

  async blob({ open, bytes, numbers }: CheckInput) {
    await using(open(new Blob([bytes as Uint8Array<ArrayBuffer>])), async (model) => {
      expect((await logitsHash(model)) === numbers.logits, "a Blob gives the logits of its bytes");
    });
  },

  async url({ open, url, numbers }: CheckInput) {
    if (url === undefined) return;
    await using(open(url), async (model) => {
      expect((await logitsHash(model)) === numbers.logits, `${url} gives the logits of its bytes`);
    });
    await rejects(open(`${url}.missing`), "file/not-found");
  },

  async abort({ open, bytes }: CheckInput) {
    await rejects(open(bytes, { signal: AbortSignal.abort() }), "aborted");
    await using(open(bytes), async (model) => {
      const byPiece = new AbortController(),
        generation = model.generate("Once", { ...LONG, signal: byPiece.signal });
      let pieces = 0;
      for await (const _ of generation) if (++pieces === 3) byPiece.abort();
      const stopped = await generation.result();
      expect(
        stopped.stopReason === "aborted" && stopped.ids.length < 200,
        `stopped in the loop, got ${stopped.stopReason} after ${stopped.ids.length} ids`,
      );
      // A timer fires only when the generation lets the event loop run. Again and again: a generation here lets it run
      // two or three times, and browsers put messages before timers that are late.
      let reason = "";
      for (const begin = performance.now(); reason !== "aborted" && performance.now() - begin < 5000; ) {
        const byTimer = new AbortController(),
          running = model.generate("Twice", { ...LONG, signal: byTimer.signal }).result();
        setTimeout(() => byTimer.abort(), 1);
        reason = (await running).stopReason;
      }
      expect(reason === "aborted", `stopped by a timer, got ${reason}`);
      const again = await model.generate("Once", { maxTokens: 4, temperature: 0 }).result();
      expect(again.stopReason === "length", "goes on after an abort");
    });
  },

  async "leave the loop"({ open, bytes }: CheckInput) {
    await using(open(bytes), async (model) => {
      const generation = model.generate("Once", LONG);
      for await (const _ of generation) break;
      const { stopReason } = await generation.result();
      expect(stopReason === "aborted", `left, got ${stopReason}`);
      expect(
        (await model.generate("Once", { maxTokens: 3, temperature: 0, ignoreEnd: true }).result()).ids.length === 3,
        "free for the next",
      );
    });
  },

  async contexts({ open, bytes }: CheckInput) {
    const contextLength = 130;
    // A third of what all want, so that they also take pages from each other.
    await using(open(bytes, { contextLength, kvPositions: 5 * contextLength }), async (model) => {
      await using(open(bytes, { contextLength }), async (alone) => {
        const nCompared = await manyContexts({ model, alone, contextLength, seed: 1 });
        expect(nCompared > 40, `more than 40 answers compared, got ${nCompared}`);
      });
    });
  },

  async "saved contexts"({ open, bytes }: CheckInput) {
    await using(open(bytes), async (model) => {
      const saved = await savedBy(model);
      await using(open(bytes), async (other) => {
        const context = await other.restore(saved),
          ids = await context.ids;
        expect((await context.cachedIds).length === N_IDS, "all its ids are cached");
        const found = await context.logits([...ids, 1]),
          wanted = (await model.logits([...ids, 1])).slice(-model.vocabSize);
        expect((await sha256([found])) === (await sha256([wanted])), "it goes on with the same logits");
        await rejects(other.restore(saved.subarray(1)), "snapshot/corrupt");
        saved[saved.length >> 1]! ^= 4;
        await rejects(other.restore(saved), "snapshot/corrupt");
      });
    });
  },

  async close({ open, bytes }: CheckInput) {
    const model = await open(bytes),
      running = model.generate("Once", LONG).result();
    await model.close();
    expect((await running).stopReason === "aborted", "closing ends what runs");
    await model.close();
    await rejects(model.generate("Once").result(), "model/closed");
    await rejects(model.embed(["Once"]), "model/closed");
  },

  async "bad bytes"({ open, bytes }: CheckInput) {
    await rejects(open(new Uint8Array(64)), "file/unknown-format");
    await rejects(open(bytes.slice(0, 1000)), "gguf/truncated");
    await rejects(open(bytes.slice(0, bytes.length - 1000)), "gguf/tensor-outside-file");
  },

  async "bad options"({ open, bytes }: CheckInput) {
    await rejects(open(bytes, { threads: 0 }), "option/invalid");
    await using(open(bytes), async (model) => {
      await rejects(model.generate("Once", { temperature: -1 }).result(), "option/invalid");
      await rejects(model.generate([-1]).result(), "model/bad-token");
    });
  },

  async "model in the package"({ open }: CheckInput) {
    await using(open(), async (model) => {
      const { prompt, ids, ...options } = inTheBox.generation,
        found = await model.generate(prompt, options).result();
      expect(found.ids.join() === ids.join(), `the ids ${ids.join()}, got ${found.ids.join()}`);
    });
  },

  // The tokenizer of the library, in whatever version of Unicode the engine has. What it finds goes to
  // expected-ids.json.
  async ids() {
    const found = await idsHash();
    expect(found === tokenized.sha256, `the ids of the corpus to hash to ${tokenized.sha256}, got ${found}`);
  },

  // A change that is meant to change these numbers takes what this finds to expected-training.json.
  async train({ open, openTraining }: CheckInput) {
    const found = await trainedBits(openTraining, open);
    expect(
      JSON.stringify(found) === JSON.stringify(trained),
      `the training ${JSON.stringify(trained)}, got ${JSON.stringify(found)}`,
    );
  },

  async "one thread"({ open, bytes, numbers }: CheckInput) {
    await using(open(bytes, { threads: 1 }), async (model) => {
      expect(model.engine.threads === 1 && model.engine.reason === undefined, "one thread, as asked for");
      expect((await logitsHash(model)) === numbers.logits, "one thread gives the same logits");
    });
  },

  async "plain SIMD"({ open, bytes, numbers }: CheckInput) {
    await using(open(bytes, { variant: "simd" }), async (model) => {
      expect((await logitsHash(model)) === numbers.logits, "the plain SIMD kernels give the same logits");
    });
  },
};

/** Losses of some steps as the bits of their doubles, the hash of the model that came out, and what it writes. */
async function trainedBits(openTraining: typeof OpenTraining, open: OpenModel): Promise<Record<string, unknown>> {
  const text = new TextEncoder().encode(
    "Tomorrow, and tomorrow, and tomorrow, creeps in this petty pace from day to day.\n".repeat(20),
  );
  const training = await openTraining({
    text,
    preset: "tiny",
    steps: 6,
    batch: 2,
    seqLength: 32,
    validateEvery: 0,
    sampleEvery: 0,
    threads: 1,
  });
  const losses: string[] = [];
  for await (const event of training) if (event.kind === "step") losses.push(bitsOf(event.loss));
  const gguf = await training.gguf();
  await training.close();
  let ids: readonly number[] = [];
  await using(
    open(gguf),
    async (model) => void ({ ids } = await model.generate("To", { maxTokens: 8, temperature: 0 }).result()),
  );
  return { losses, gguf: await sha256([gguf]), ids };
}

function bitsOf(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}

async function using(opening: Promise<SuiteModel>, work: (model: SuiteModel) => Promise<void>): Promise<void> {
  const model = await opening;
  await work(model).finally(() => model.close());
}

export function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`wanted: ${what}`);
}

export async function rejects(work: Promise<unknown>, code: string): Promise<Error> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const found =
    error instanceof Error ? `${(error as { code?: string }).code ?? error.name} (${error.message})` : "no error";
  expect(
    error instanceof Error && error.name === "OnebitError" && found.startsWith(`${code} `),
    `the error ${code}, got ${found}`,
  );
  return error as Error;
}

async function sha256(parts: readonly (Float32Array | Uint8Array)[]): Promise<string> {
  const bytes = new Uint8Array(await new Blob(parts as Float32Array<ArrayBuffer>[]).arrayBuffer());
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
