/**
 * The running model: opens one in a worker, and closes the one before.
 *
 * @module
 */
import { throwIfAborted } from "../../../core/errors.ts";
import { DEFAULT_MODEL_THREADS } from "../../../default-model.ts";
import { type WorkerLoadOptions, type WorkerModel, loadInWorkerOf } from "../../worker-model.ts";
import type { StartWorker } from "../start-worker.ts";
import { type Answerer, styleOf } from "./answer.ts";
import type { KeptContext } from "./kept-context.ts";

/** A model a person can choose. `kept`: in the browser's storage, by the source it was downloaded from. */
export type ModelChoice =
  | { readonly kind: "built-in" }
  | { readonly kind: "kept"; readonly source: string }
  | { readonly kind: "file"; readonly file: File };

export interface OpenModel extends Answerer {
  readonly choice: ModelChoice;
}

export interface ModelEnvironment {
  readonly startWorker: StartWorker;
  readonly keptContext: KeptContext;
  /** The bytes of the model that comes with the page. */
  defaultModelBytes(): Promise<Uint8Array<ArrayBuffer>>;
}

export class ModelSession {
  readonly #environment: ModelEnvironment;
  #open: OpenModel | undefined;
  #opening: AbortController | undefined;

  constructor(environment: ModelEnvironment) {
    this.#environment = environment;
  }

  get current(): OpenModel | undefined {
    return this.#open;
  }

  /**
   * Opens a model in place of the open one. A later call aborts an earlier one that still loads (`aborted`).
   * @throws OnebitError as `loadInWorker`; nothing is open then
   */
  async open(choice: ModelChoice, onProgress: WorkerLoadOptions["onProgress"]): Promise<OpenModel> {
    this.#opening?.abort();
    const opening = (this.#opening = new AbortController()),
      { signal } = opening;
    await this.close();
    const model = await this.#load(choice, { onProgress, signal });
    try {
      const style = await styleOf(model),
        context = (await this.#environment.keptContext.restore(model)) ?? (await model.context()),
        open = { choice, model, style, context };
      throwIfAborted(signal);
      this.#open = open;
      return open;
    } catch (error) {
      await model.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.model.close();
  }

  async #load(choice: ModelChoice, options: WorkerLoadOptions): Promise<WorkerModel> {
    const { startWorker, defaultModelBytes } = this.#environment;
    if (choice.kind === "file") return await loadInWorkerOf(startWorker, choice.file, options);
    // Uses the kept copy as it is: choosing a model must not need the network.
    if (choice.kind === "kept")
      return await loadInWorkerOf(startWorker, choice.source, { ...options, hub: { offline: true } });
    // In parallel: each takes a quarter of the second until the first word.
    const [started, bytes] = await Promise.allSettled([startWorker(), defaultModelBytes()]);
    if (started.status === "rejected") throw started.reason;
    if (bytes.status === "rejected") {
      started.value.stop();
      throw bytes.reason;
    }
    return await loadInWorkerOf(async () => started.value, bytes.value, { ...options, threads: DEFAULT_MODEL_THREADS });
  }
}

export const DEFAULT_MODEL_NAME = "Shakespeare";

/** `hf:owner/name` → `name`; the last part of an address. */
export function nameOf(choice: ModelChoice): string {
  if (choice.kind === "built-in") return DEFAULT_MODEL_NAME;
  if (choice.kind === "file") return choice.file.name;
  return (
    choice.source
      .replace(/[?#@].*$/, "")
      .split(/[/:]/)
      .filter((part) => part !== "")
      .at(-1) ?? choice.source
  );
}
