/** The suite in a page: the model here, or in a worker. */
import type { load as Load } from "../../../src/index.ts";
import type { openTraining as OpenTraining } from "../../../src/train.ts";
import { type SuiteReport, runSuite } from "../suite.ts";
import { type LoadInWorker, checkWorker, openInWorker } from "./worker-checks.ts";

export async function fetchModels(names: readonly string[]): Promise<Record<string, Uint8Array>> {
  const files = names.map(
    async (name) => [name, new Uint8Array(await (await fetch(`/models/${name}.gguf`)).arrayBuffer())] as const,
  );
  return Object.fromEntries(await Promise.all(files));
}

export async function inPage(
  load: typeof Load,
  openTraining: typeof OpenTraining,
  names: readonly string[],
): Promise<SuiteReport> {
  return runSuite({ open: load, openTraining, files: await fetchModels(names), url: `models/${names[0]}.gguf` });
}

export async function inWorker(
  load: LoadInWorker,
  openTraining: typeof OpenTraining,
  newWorker: () => Worker,
  names: readonly string[],
): Promise<SuiteReport> {
  // Set beside the page's script, where a browser is to be asked for threads by number.
  const { suiteThreads } = globalThis as { suiteThreads?: number };
  const loadInWorker: LoadInWorker =
    suiteThreads === undefined ? load : (source, options) => load(source, { threads: suiteThreads, ...options });
  const files = await fetchModels(names),
    report = await runSuite({ open: openInWorker(loadInWorker), openTraining, files, url: `models/${names[0]}.gguf` });
  await checkWorker(loadInWorker, newWorker, files[names[0]]);
  return report;
}
