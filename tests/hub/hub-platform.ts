/**
 * Platforms for the tests: a folder of their own, or memory; the environment is theirs too.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { HubPlatform, ModelStore } from "../../src/core/model-store.ts";
import { nodeHub } from "../../src/platform/node/hub.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { MemoryModelStore } from "./memory-model-store.ts";

export interface FolderPlatform {
  readonly hub: HubPlatform;
  readonly folder: string;
  /** Of huggingface_hub, and of ours. */
  readonly hubFolder: string;
  readonly urlFolder: string;
  readonly environment: Record<string, string>;
  remove(): void;
}

export function folderPlatform(environment: Record<string, string> = {}): FolderPlatform {
  mkdirSync("build", { recursive: true });
  const folder = mkdtempSync(resolve("build/hub-"));
  const hubFolder = join(folder, "huggingface", "hub"),
    urlFolder = join(folder, "onebit");
  const all: Record<string, string> = { HF_HOME: join(folder, "huggingface"), ONEBIT_CACHE: urlFolder, ...environment };
  return {
    hub: nodeHub(nodePlatform().openFile, (name) => all[name]),
    folder,
    hubFolder,
    urlFolder,
    environment: all,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function memoryPlatform(
  store: ModelStore = new MemoryModelStore(),
  urlStore: ModelStore = new MemoryModelStore(),
): HubPlatform {
  return { ...nodeHub(nodePlatform().openFile, () => undefined), hubStore: store, urlStore };
}
