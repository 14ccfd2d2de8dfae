/**
 * The calls of the service "store": the page's worker that keeps models.
 *
 * @module
 */
import type { KeptModel, PullProgress, RemovedModel } from "../../hub.ts";

export interface StoreCalls {
  /** Starts or resumes a download. */
  pull: {
    args: [source: string];
    done: { readonly source: string; readonly sizeBytes: number };
    progress: PullProgress;
  };
  list: { args: []; done: readonly KeptModel[] };
  remove: { args: [source: string]; done: RemovedModel };
}
