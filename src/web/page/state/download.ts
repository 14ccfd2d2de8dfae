/**
 * A download that can be paused, resumed and cancelled.
 *
 * @module
 */
import { OnebitError } from "../../../core/errors.ts";
import type { PullProgress } from "../../../hub.ts";
import type { StoreClient } from "./store-client.ts";

export type DownloadState =
  | { readonly kind: "running"; readonly progress: PullProgress | undefined }
  | { readonly kind: "paused"; readonly progress: PullProgress | undefined }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "done" };

export class Download {
  readonly source: string;
  readonly #store: StoreClient;
  readonly #onChange: (state: DownloadState) => void;
  #abort: AbortController | undefined;
  #progress: PullProgress | undefined;

  constructor(store: StoreClient, source: string, onChange: (state: DownloadState) => void) {
    this.#store = store;
    this.source = source;
    this.#onChange = onChange;
  }

  /** Starts or resumes; earlier parts are kept. */
  async run(): Promise<void> {
    if (this.#abort !== undefined) return;
    const abort = (this.#abort = new AbortController());
    this.#onChange({ kind: "running", progress: this.#progress });
    const onProgress = (progress: PullProgress): void => {
      this.#progress = progress;
      if (!abort.signal.aborted) this.#onChange({ kind: "running", progress });
    };
    try {
      await this.#store.call("pull", [this.source], { signal: abort.signal, onProgress });
      this.#onChange({ kind: "done" });
    } catch (error) {
      const isPaused = error instanceof OnebitError && error.code === "aborted";
      this.#onChange(isPaused ? { kind: "paused", progress: this.#progress } : { kind: "failed", error });
    } finally {
      this.#abort = undefined;
    }
  }

  pause(): void {
    this.#abort?.abort();
  }
}
