/**
 * A model fetched once is there without its server: what a program of the runtime does to see that. Runs anywhere.
 */
import type { Model, load as Load } from "../../src/index.ts";
import type { platformWithHub as PlatformWithHub, pull as Pull, remove as Remove } from "../../src/hub.ts";
import { expect, rejects } from "./suite.ts";

export interface OfflineParts {
  readonly load: typeof Load;
  readonly pull: typeof Pull;
  readonly remove: typeof Remove;
  readonly platformWithHub: typeof PlatformWithHub;
}

/** "ok", or what went wrong. @param url of a server that hands out the file until it is told to DELETE it */
export async function offlineOutcome(parts: OfflineParts, url: string): Promise<string> {
  return await checkOffline(parts, url).then(
    () => "ok",
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

async function checkOffline({ load, pull, remove, platformWithHub }: OfflineParts, url: string): Promise<void> {
  const platform = platformWithHub(),
    bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
  await rejects(load(url, { platform, hub: { offline: true } }), "hub/offline");
  const pulled = await pull(url, { platform });
  expect(pulled.fetchedBytes === bytes.length, `${bytes.length} bytes to be fetched, got ${pulled.fetchedBytes}`);
  await fetch(url, { method: "DELETE" });
  expect((await fetch(url)).status === 410, "the server to have it no more");
  const expected = await idsOf(await load(bytes));
  expect(
    (await idsOf(await load(url, { platform, hub: { offline: true } }))) === expected,
    "the kept model to write what the fetched one does, offline",
  );
  expect((await idsOf(await load(url, { platform }))) === expected, "a model that is kept not to be asked for");
  const { freedBytes } = await remove(url, { platform });
  expect(freedBytes >= bytes.length, `${bytes.length} bytes to be free again, got ${freedBytes}`);
  await rejects(load(url, { platform, hub: { offline: true } }), "hub/offline");
}

async function idsOf(model: Model): Promise<string> {
  const { ids } = await model.generate([1, 2, 3], { maxTokens: 12, temperature: 0, ignoreEnd: true }).result();
  await model.close();
  return ids.join();
}
