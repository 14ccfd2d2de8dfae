/** A file at a plain URL of a server that can do everything wrong, and for each test a folder to pull it to. */
import { readFileSync } from "node:fs";
import { after, afterEach, before, beforeEach } from "node:test";
import type { HubOptions, PulledModel } from "../../src/hub/options.ts";
import { pullModel } from "../../src/hub/pull.ts";
import { FakeHub, modelBytes } from "./fake-hub.ts";
import { type FolderPlatform, folderPlatform } from "./hub-platform.ts";

export const PART_BYTES = 2 * 1024 * 1024;
export const FAST: HubOptions = { backoffMs: 1, attempts: 3, timeoutMs: 2000 };
/** What the server has at first: three parts and more. */
export const bytes = modelBytes(7_000_003, 3);
/** Another model of the same size. */
export const other = modelBytes(7_000_003, 4);

export let server: FakeHub, place: FolderPlatform;

/** Starts the server before the tests of a file; before each it is as new, and so is the folder. */
export function usePlainUrl(): void {
  before(async () => {
    server = await FakeHub.start();
  });
  after(() => server.stop());
  beforeEach(() => {
    server.reset();
    server.plain.set("/m.gguf", { bytes, etag: '"one"' });
    place = folderPlatform();
  });
  afterEach(() => place.remove());
}

export const pull = (options: HubOptions = {}, signal?: AbortSignal, path = "/m.gguf"): Promise<PulledModel> =>
  pullModel(`${server.url}${path}`, place.hub, { ...FAST, ...options }, signal);

export function contents({ files }: PulledModel): Buffer {
  return readFileSync(files[0].path ?? "");
}
