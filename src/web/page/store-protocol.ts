/**
 * What the page and the worker that keeps its models say to each other: a numbered call, its progress, its end. And at
 * the start a lock for the worker to hold as long as it lives.
 *
 * @module
 */
import type { KeptModel, PullProgress } from "../../hub.ts";
import type { WireError } from "../protocol.ts";

export interface StoreCalls {
  /** Brings a model here, or goes on with it. */
  pull: { argument: string; done: { readonly source: string; readonly sizeBytes: number } };
  list: { argument: undefined; done: readonly KeptModel[] };
  remove: { argument: string; done: { readonly freedBytes: number } };
}
export type StoreCallName = keyof StoreCalls;

export type ToStore =
  | { readonly storeLock: string }
  | {
      [Name in StoreCallName]: {
        readonly storeCall: number;
        readonly name: Name;
        readonly argument: StoreCalls[Name]["argument"];
      };
    }[StoreCallName]
  | { readonly storeCall: number; readonly abort: true };

export type FromStore =
  | { readonly storeLocked: string }
  | { readonly storeCall: number; readonly progress: PullProgress }
  | { readonly storeCall: number; readonly done: unknown }
  | { readonly storeCall: number; readonly error: WireError };
