/**
 * The worker's side of a model: runs one for each page that connects.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { Context, Generation, GenerationResult, LoadModelOptions, Model, Piece } from "../index.ts";
import type { KernelBinaries } from "../kernels/variant.ts";
import {
  type Calls,
  type ContextFacts,
  type ContextHandle,
  type ModelFacts,
  TOKENIZER_FACTS,
  type TokenizerFacts,
  type TokenizerMethod,
  type WireSource,
} from "./protocol.ts";
import type { Handlers } from "./rpc.ts";
import { type ConnectionScope, acceptSessions } from "./sessions.ts";
import { type WireError, toWire } from "./wire-error.ts";

export type { ConnectionScope } from "./sessions.ts";

/** @param kernels what the page sent: to a worker that brings its own it sends none */
export type LoadInWorker = (source: WireSource, options: LoadModelOptions, kernels?: KernelBinaries) => Promise<Model>;

/** Answers every page that connects to this worker; each connection has a model of its own. */
export function serveWith(load: LoadInWorker, scope: ConnectionScope): void {
  acceptSessions<Calls>(scope, "model", () => modelHandlers(load));
}

function modelHandlers(load: LoadInWorker): Handlers<Calls> {
  let loaded: Model | undefined;
  const contexts = new Map<ContextHandle, Context>();
  let nOpened = 0;
  const model = (): Model =>
    loaded ?? fail("model/closed", "this worker's model is not loaded or was closed: load it again");
  const context = (handle: ContextHandle): Context =>
    contexts.get(handle) ?? fail("model/closed", "the context was closed: open another with model.context()");
  const add = (opened: Context): ContextFacts => {
    contexts.set(nOpened, opened);
    return { handle: nOpened++, contextLength: opened.contextLength };
  };
  /** Whose `generate` and `chat` a call means. */
  const caller = (handle: ContextHandle | undefined): Model | Context =>
    handle === undefined ? model() : context(handle);
  return {
    async load([source, options, kernels], { signal, onProgress }) {
      if (loaded !== undefined)
        fail("model/busy", "this session already has a model: load the next one in another session");
      loaded = await load(source, { ...options, signal, onProgress }, kernels);
      return factsOf(loaded);
    },
    generate: ([prompt, options, handle], { signal, onProgress, sendPiece }) =>
      stream(caller(handle).generate(prompt, { ...options, signal, onProgress }), sendPiece),
    chat: ([messages, options, handle], { signal, onProgress, sendPiece }) =>
      stream(caller(handle).chat(messages, { ...options, signal, onProgress }), sendPiece),
    chatPrompt: ([messages, options]) => model().chatPrompt(messages, options),
    embed: ([texts, options], { signal, onProgress }) => model().embed(texts, { ...options, signal, onProgress }),
    logits: ([ids, options], { signal }) => model().logits(ids, { ...options, signal }),
    perplexity: ([input, options], { signal, onProgress }) =>
      model().perplexity(input, { ...options, signal, onProgress }),
    async truncate([length]) {
      await model().truncate(length);
      return undefined;
    },
    cachedIds: () => [...model().cachedIds],
    openContext: ([options]) => add(model().context(options)),
    saveContext: ([handle, options], { signal }) => context(handle).save({ ...options, signal }),
    restoreContext: async ([bytes, options], { signal }) => add(await model().restore(bytes, { ...options, signal })),
    forkContext: ([handle]) => add(context(handle).fork()),
    closeContext([handle]) {
      contexts.get(handle)?.close();
      contexts.delete(handle);
      return undefined;
    },
    contextIds: ([handle, which]) => [...context(handle)[which]],
    contextLogits: ([handle, ids, options], { signal }) => context(handle).logits(ids, { ...options, signal }),
    async truncateContext([handle, length]) {
      await context(handle).truncate(length);
      return undefined;
    },
    tokenizer([method, args]) {
      // The compiler cannot know that a method and the arguments of the same name belong together.
      const tokenizer: Readonly<Record<TokenizerMethod, (...args: never[]) => unknown>> = model().tokenizer;
      return tokenizer[method](...(args as never[]));
    },
    /** Ends running calls, then frees the model: their answers leave before `close`'s. */
    async close(_, { endOthers }) {
      await endOthers();
      await loaded?.close();
      loaded = undefined;
      return undefined;
    },
  };
}

/** Sends pieces as the page reads them, if it does, and the result at the end. */
async function stream(
  generation: Generation,
  sendPiece: ((piece: Piece) => Promise<void>) | undefined,
): Promise<GenerationResult> {
  if (sendPiece !== undefined) for await (const piece of generation) await sendPiece(piece);
  return await generation.result();
}

function factsOf(model: Model): ModelFacts {
  const { config, contextLength, vocabSize, memory, engine, warnings, hasTokenizer, chatTemplateNames, loadMs } = model;
  return {
    config,
    contextLength,
    vocabSize,
    memory,
    engine,
    warnings,
    hasTokenizer,
    chatTemplateNames,
    loadMs,
    tokenizer: tokenizerFactsOf(model),
  };
}

function tokenizerFactsOf(model: Model): TokenizerFacts | WireError {
  try {
    const { tokenizer } = model;
    return Object.fromEntries(TOKENIZER_FACTS.map((name) => [name, tokenizer[name]])) as unknown as TokenizerFacts;
  } catch (error) {
    return toWire(error);
  }
}
