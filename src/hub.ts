/**
 * `onebit/hub`: downloads models and keeps them on this machine.
 *
 * @module onebit/hub
 */
import { fail } from "./core/errors.ts";
import type { HubPlatform } from "./core/model-store.ts";
import { type OptionTable, SIGNAL, TEXT, check, checkOptions } from "./core/options.ts";
import { PLATFORM, type Platform } from "./core/platform.ts";
import { withMemory } from "./core/refused-memory.ts";
import { HUB_OPTIONS } from "./hub/option-table.ts";
import { listModels, removeModel } from "./hub/inventory.ts";
import type { KeptModel } from "./hub/inventory.ts";
import type { HubOptions, PulledModel } from "./hub/options.ts";
import { pullModel } from "./hub/pull.ts";
import { browserHub } from "./platform/browser/hub.ts";
import { detectPlatform } from "./platform/detect.ts";

export { browserHub } from "./platform/browser/hub.ts";
export { OnebitError } from "./core/errors.ts";
export type {
  Fetch,
  HashAlgorithm,
  HubPlatform,
  IncrementalHash,
  LockOptions,
  ModelStore,
  StoredEntry,
  StoredFile,
  StoreLock,
  WritableFile,
} from "./core/model-store.ts";
export type { KeptModel } from "./hub/inventory.ts";
export type { HubOptions, PulledFile, PulledModel } from "./hub/options.ts";
export type { PullProgress } from "./hub/progress.ts";

export interface PullOptions extends HubOptions {
  readonly signal?: AbortSignal;
  /** Default: that of the runtime the program runs in. */
  readonly platform?: Platform;
}

/** Of `list` and `remove`. */
export type KeptOptions = Pick<PullOptions, "platform">;

const PULL_OPTIONS: OptionTable<PullOptions> = { ...HUB_OPTIONS, signal: SIGNAL, platform: PLATFORM };
const KEPT_OPTIONS: OptionTable<KeptOptions> = { platform: PLATFORM };

/**
 * Brings a model to this machine, or finds that it is there: `hf:owner/repo` (the best 1-bit file of it),
 * `hf:owner/repo/file`, either with `@revision`, or a URL. What was fetched is kept for the next time, also when this
 * time is cut short.
 *
 * @example
 * const { files, reason, others } = await pull("hf:prism-ml/Bonsai-1.7B-gguf", { onProgress: console.log });
 *
 * @throws OnebitError `hub/…`, `file/…`, `option/invalid`, `aborted`
 */
export async function pull(source: string, options: PullOptions = {}): Promise<PulledModel> {
  const { signal, platform, ...hub } = checkOptions("pull", options, PULL_OPTIONS);
  return await withMemory(
    "model/not-enough-memory",
    "a download",
    async () => await pullModel(check("source", source, TEXT), hubOf(platform), hub, signal),
  );
}

/**
 * Every model that is kept here, also those other programs brought. @throws OnebitError `file/read`, `hub/unavailable`
 */
export async function list(options: KeptOptions = {}): Promise<KeptModel[]> {
  return await withMemory(
    "model/not-enough-memory",
    "the list of models",
    async () => await listModels(hubOf(checkOptions("list", options, KEPT_OPTIONS).platform)),
  );
}

/**
 * Removes a model, by the source it was pulled by or that `list` gives.
 * @returns bytes that are free again
 * @throws OnebitError `file/not-found`, `file/write`, `hub/busy` while it is being downloaded, `hub/bad-source`,
 * `hub/unavailable`
 */
export async function remove(source: string, options: KeptOptions = {}): Promise<{ readonly freedBytes: number }> {
  return await withMemory(
    "model/not-enough-memory",
    "removing a model",
    async () =>
      await removeModel(check("source", source, TEXT), hubOf(checkOptions("remove", options, KEPT_OPTIONS).platform)),
  );
}

/**
 * The platform of the runtime the program runs in, with a place for models in browsers too: `load` takes `hf:…` there
 * when it is given this platform.
 */
export function platformWithHub(): Platform {
  return detectPlatform(browserHub);
}

function hubOf(platform: Platform = platformWithHub()): HubPlatform {
  return (
    platform.hub ??
    fail(
      "hub/unavailable",
      `the platform ${platform.name} cannot store models, or has no network; pass a platform with a hub`,
    )
  );
}
