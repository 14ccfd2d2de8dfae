/** What only a page with its model in a worker can be asked. */
import { type OpenModel, expect, nowAt, rejects } from "../suite.ts";
import { promptApi } from "../../../src/prompt-api.ts";
import type { WorkerLoadOptions, WorkerModel, WorkerModelSource } from "../../../src/web/worker-model.ts";

export type LoadInWorker = (source?: WorkerModelSource, options?: WorkerLoadOptions) => Promise<WorkerModel>;

const LONG = { maxTokens: 200, temperature: 0, ignoreEnd: true } as const;

/** The worker's model as the suite sees it. */
export function openInWorker(loadInWorker: LoadInWorker, worker?: Worker): OpenModel {
  return (source, { platform: _, ...options } = {}) => loadInWorker(source, { ...options, worker });
}

export async function checkWorker(
  loadInWorker: LoadInWorker,
  newWorker: () => Worker,
  bytes: Uint8Array,
): Promise<void> {
  for (const check of [
    staysResponsive,
    streamsWithinWindow,
    seesItsWorkerDie,
    refusesWhatCannotBeSent,
    leavesNothingBehind,
    outlivesAFailedLoad,
    hasTheShapeOfLanguageModel,
  ]) {
    nowAt(check.name);
    await check(loadInWorker, bytes, newWorker);
  }
}

/** The page's own timers run while the model does. */
async function staysResponsive(loadInWorker: LoadInWorker, bytes: Uint8Array): Promise<void> {
  const model = await loadInWorker(bytes);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await model.generate("Once", LONG).result();
  clearInterval(timer);
  expect(turns >= 3, `the page's timers to run during a generation, they ran ${turns} times`);
  await model.close();
}

/** A reader who stops reading stops the worker too: 32 pieces ahead, and the one being computed. */
async function streamsWithinWindow(loadInWorker: LoadInWorker, bytes: Uint8Array): Promise<void> {
  const model = await loadInWorker(bytes),
    stop = new AbortController();
  const generation = model.generate("Once", { ...LONG, signal: stop.signal }),
    pieces = generation[Symbol.asyncIterator]();
  await pieces.next();
  await new Promise((resolve) => setTimeout(resolve, 500));
  stop.abort();
  const { ids, stopReason } = await generation.result();
  expect(
    stopReason === "aborted" && ids.length >= 2 && ids.length <= 1 + 32 + 2,
    `a worker that waits for its reader, it made ${ids.length} pieces (${stopReason})`,
  );
  await model.close();
}

async function seesItsWorkerDie(loadInWorker: LoadInWorker, bytes: Uint8Array, newWorker: () => Worker): Promise<void> {
  const worker = newWorker(),
    model = await loadInWorker(bytes, { worker });
  const generation = model.generate("Once", LONG);
  const dies = (async () => {
    for await (const _ of generation) worker.terminate();
  })();
  await rejects(dies, "engine/worker-lost");
  await rejects(model.embed(["Once"]), "engine/worker-lost");
  await model.close();
}

async function refusesWhatCannotBeSent(loadInWorker: LoadInWorker, bytes: Uint8Array): Promise<void> {
  await rejects(loadInWorker({ read() {} } as unknown as Uint8Array), "option/invalid");
  const model = await loadInWorker(bytes);
  await rejects(model.chat([{ role: "user", content: "Hi", tool: () => {} }]).result(), "option/invalid");
  await model.close();
}

/** A session that lives holds a lock. */
async function leavesNothingBehind(loadInWorker: LoadInWorker, bytes: Uint8Array): Promise<void> {
  const held = async (): Promise<number> =>
    ((await navigator.locks.query()).held ?? []).filter(({ name }) => name?.startsWith("onebit-")).length;
  const becomes = async (wanted: number): Promise<void> => {
    for (let tries = 0; tries < 100 && (await held()) !== wanted; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await held()) === wanted, `${wanted} sessions alive, found ${await held()}`);
  };
  const model = await loadInWorker(bytes);
  await becomes(1);
  await model.close();
  await rejects(loadInWorker(new Uint8Array(64)), "file/unknown-format");
  await rejects(loadInWorker(bytes, { signal: AbortSignal.abort() }), "aborted");
  await becomes(0);
}

/** `onebit/prompt-api` over the page's worker, with the exceptions that this browser has. */
async function hasTheShapeOfLanguageModel(loadInWorker: LoadInWorker, bytes: Uint8Array): Promise<void> {
  const model = await loadInWorker(bytes),
    session = await promptApi(model, { chatTemplate: "chatml" }).create(),
    constraint = { responseConstraint: /[ab]{3}/, omitResponseConstraintInput: true };
  const text = await session.prompt("Once", constraint);
  expect(/^[ab]{3}$/.test(text), `an answer that fits, found ${text}`);
  let streamed = "";
  const reader = session.promptStreaming("Again", constraint).getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) streamed += next.value;
  expect(/^[ab]{3}$/.test(streamed), `a stream that fits, found ${streamed}`);
  const clone = await session.clone();
  session.destroy();
  const name = await session.prompt("?").catch((error: unknown) => error instanceof DOMException && error.name);
  expect(name === "AbortError", `an AbortError, found ${String(name)}`);
  expect((await clone.prompt("?", constraint)).length === 3, "a clone that goes on");
  await model.close();
}

/** One's own worker serves another page, or another model, after a failure and after a close. */
async function outlivesAFailedLoad(
  loadInWorker: LoadInWorker,
  bytes: Uint8Array,
  newWorker: () => Worker,
): Promise<void> {
  const worker = newWorker();
  await rejects(loadInWorker(new Uint8Array(64), { worker }), "file/unknown-format");
  const [a, b] = await Promise.all([loadInWorker(bytes, { worker }), loadInWorker(bytes, { worker })]);
  const [x, y] = await Promise.all([a.generate("Once", LONG).text(), b.generate("Once", LONG).text()]);
  expect(x === y && x.length > 0, "two models in one worker, with the same answer");
  await a.close();
  expect(
    (await b.tokenizer.decode(await b.tokenizer.encode("still here"))) === "still here",
    "closing one leaves the other",
  );
  await b.close();
  worker.terminate();
}
