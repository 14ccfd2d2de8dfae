/**
 * The static side of the Prompt API: whether there is a model, and sessions with it.
 *
 * @module
 */
import type { AnyModel } from "../any-model.ts";
import { OnebitError } from "../core/errors.ts";
import type { LoadProgress } from "../index.ts";
import { notSupported } from "./errors.ts";
import { readPrompt } from "./prompt.ts";
import { LanguageModelSession } from "./session.ts";
import { PARAMS, isText, readSettings } from "./settings.ts";
import type {
  Availability,
  LanguageModelCreateCoreOptions,
  LanguageModelCreateOptions,
  LanguageModelParams,
  LoadForPrompts,
  PromptApiOptions,
} from "./types.ts";

/** What `LanguageModel` has beside its sessions. */
export interface PromptApi {
  /** Whether a session with these options can be made. */
  availability(options?: LanguageModelCreateCoreOptions): Promise<Availability>;
  /**
   * A session; the first loads the model if need be.
   * @throws DOMException `NotSupportedError` for images and sound, `QuotaExceededError` for initial prompts that do not
   *   fit, `NetworkError` and `OperationError` when the model cannot be fetched or loaded; TypeError, RangeError
   */
  create(options?: LanguageModelCreateOptions): Promise<LanguageModelSession>;
  /** Bounds and defaults of sampling. */
  params(): Promise<LanguageModelParams>;
}

/**
 * An object with the shape of Chrome's `LanguageModel`, over a model that is loaded, also in a worker, or that the
 * first session loads.
 *
 * @param source stays open: close it yourself
 * @example
 * ```ts
 * import { load } from "onebit";
 * import { promptApi } from "onebit/prompt-api";
 *
 * await using model = await load("model.gguf", { contextLength: 256 });
 * const LanguageModel = promptApi(model);
 * const session = await LanguageModel.create({ temperature: 0.5, topK: 3 });
 * const yes = await session.prompt("Is it late?", { responseConstraint: /yes|no/ });
 * console.log(yes, session.contextUsage, session.contextWindow);
 * session.destroy();
 * ```
 */
export function promptApi(source: AnyModel | LoadForPrompts, options: PromptApiOptions = {}): PromptApi {
  const loader = new Loader(source);
  return {
    async availability(wanted = {}) {
      readSettings(wanted);
      return isText(wanted) ? loader.availability : "unavailable";
    },
    async create(wanted = {}) {
      const { signal, monitor, initialPrompts = [] } = wanted,
        settings = readSettings(wanted);
      signal?.throwIfAborted();
      if (!isText(wanted)) throw notSupported("models here read and write texts");
      const initial = initialPrompts.length === 0 ? [] : readPrompt(initialPrompts, false).messages;
      const target = new EventTarget();
      monitor?.(target);
      const model = await loader.model((loaded) => tell(target, loaded), signal);
      if (!model.hasTokenizer) throw notSupported("the model's file has no vocabulary");
      const session = await LanguageModelSession.open({ model, settings, options, initial }, signal);
      signal?.addEventListener("abort", () => session.destroy(), { once: true });
      return session;
    },
    params: async () => ({ ...PARAMS }),
  };
}

/** `ProgressEvent` is not in Node. */
function tell(target: EventTarget, loaded: number): void {
  target.dispatchEvent(Object.assign(new Event("downloadprogress"), { loaded, total: 1, lengthComputable: true }));
}

type Listener = (loaded: number) => void;

class Loader {
  readonly #load: LoadForPrompts | undefined;
  readonly #listeners = new Set<Listener>();
  #loading: Promise<AnyModel> | undefined;
  #model: AnyModel | undefined;

  constructor(source: AnyModel | LoadForPrompts) {
    this.#load = typeof source === "function" ? source : undefined;
    this.#model = typeof source === "function" ? undefined : source;
  }

  get availability(): Availability {
    if (this.#model !== undefined) return this.#model.hasTokenizer ? "available" : "unavailable";
    return this.#loading === undefined ? "downloadable" : "downloading";
  }

  /** @throws the signal's reason; DOMException */
  async model(listener: Listener, signal: AbortSignal | undefined): Promise<AnyModel> {
    listener(0);
    this.#listeners.add(listener);
    try {
      // It goes on when who asked first leaves: others may wait, or come.
      const model = this.#model ?? (await orAborted((this.#loading ??= this.#begin()), signal));
      listener(1);
      return model;
    } finally {
      this.#listeners.delete(listener);
    }
  }

  async #begin(): Promise<AnyModel> {
    const onProgress = ({ loadedBytes, totalBytes }: LoadProgress): void => {
      for (const listener of this.#listeners) if (loadedBytes < totalBytes) listener(loadedBytes / totalBytes);
    };
    try {
      return (this.#model = await this.#load!({ onProgress }));
    } catch (error) {
      const code = error instanceof OnebitError ? error.code : "",
        name = code.startsWith("hub/") ? "NetworkError" : "OperationError";
      throw Object.assign(new DOMException(`the model cannot be loaded: ${String(error)}`, name), { cause: error });
    } finally {
      this.#loading = undefined;
    }
  }
}

async function orAborted<T>(working: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await working;
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop);
  });
  return await Promise.race([working, aborted]).finally(() => signal.removeEventListener("abort", stop));
}
