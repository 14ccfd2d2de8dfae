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
import type { KeptModel, RemovedModel } from "./hub/inventory.ts";
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
export type { KeptFile, KeptModel, RemovedModel } from "./hub/inventory.ts";
export type { HubOptions, PulledFile, PulledModel } from "./hub/options.ts";
export type { PullProgress } from "./hub/progress.ts";

/** Options of {@link pull}. */
export interface PullOptions extends HubOptions {
  /** Stops the download, which then throws `aborted`; what has come is kept. */
  readonly signal?: AbortSignal;
  /** Where models are kept, and the network. Default: those of the runtime the program runs in. */
  readonly platform?: Platform;
}

/** Options of {@link list} and {@link remove}. */
export type KeptOptions = Pick<PullOptions, "platform">;

const PULL_OPTIONS: OptionTable<PullOptions> = { ...HUB_OPTIONS, signal: SIGNAL, platform: PLATFORM };
const KEPT_OPTIONS: OptionTable<KeptOptions> = { platform: PLATFORM };

/**
 * Brings a model to this machine, or finds it there: `hf:owner/repo` (the best 1-bit file of it), `hf:owner/repo/file`,
 * either with `@revision`, or a URL. What was fetched is kept for the next time, also when this time is cut short.
 *
 * @throws OnebitError `hub/…`, `file/…`, `option/…`, `model/not-enough-memory`, `aborted`
 * @example
 * ```ts
 * import { load } from "onebit";
 * import { pull } from "onebit/hub";
 *
 * const { files, reason } = await pull("hf:owner/repo", { onProgress: ({ doneBytes }) => console.log(doneBytes) });
 * console.log(reason, files.map(({ name, path }) => `${name}: ${path}`));
 * await using model = await load("hf:owner/repo", { hub: { offline: true }, contextLength: 256 });
 * ```
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
 * Every model that is kept here, also those other programs brought.
 *
 * @throws OnebitError `file/read`, `hub/unavailable`, `option/…`
 * @example
 * ```ts
 * import { list } from "onebit/hub";
 *
 * for (const { source, sizeBytes } of await list()) console.log(source, sizeBytes);
 * ```
 */
export async function list(options: KeptOptions = {}): Promise<KeptModel[]> {
  return await withMemory(
    "model/not-enough-memory",
    "the list of models",
    async () => await listModels(hubOf(checkOptions("list", options, KEPT_OPTIONS).platform)),
  );
}

/**
 * Removes a model with all its revisions, by a source without one, as `list` gives it.
 *
 * @returns bytes that are free again
 * @throws OnebitError `file/not-found`, `file/write`, `hub/busy` while it is being downloaded, `hub/bad-source`,
 *   `hub/unavailable`, `option/…`
 * @example
 * ```ts
 * import { pull, remove } from "onebit/hub";
 *
 * await pull("hf:owner/repo");
 * console.log((await remove("hf:owner/repo")).freedBytes);
 * ```
 */
export async function remove(source: string, options: KeptOptions = {}): Promise<RemovedModel> {
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
 *
 * @example
 * ```ts
 * import { load } from "onebit";
 * import { platformWithHub } from "onebit/hub";
 *
 * await using model = await load("hf:owner/repo", { platform: platformWithHub(), contextLength: 256 });
 * console.log(model.config.name);
 * ```
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
