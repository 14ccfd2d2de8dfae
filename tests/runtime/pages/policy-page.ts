/** A page whose Content-Security-Policy allows scripts of its own origin and WebAssembly, and nothing else. */
import type { load as Load } from "../../../src/index.ts";
import type { openTraining as OpenTraining } from "../../../src/train.ts";
import { type SuiteReport, nowAt, rejects, runSuite } from "../suite.ts";
import { fetchModels } from "./suite-page.ts";
import { type LoadInWorker, checkWorker, openInWorker } from "./worker-checks.ts";

export interface PolicyReport {
  readonly page: SuiteReport;
  readonly worker: SuiteReport;
  /** What is said where the worker from a Blob URL is refused. */
  readonly refused: string;
  /** The error, its code first, where threads are asked for by number. */
  readonly threadsByNumber: string;
}

export async function underPolicy(
  load: typeof Load,
  openTraining: typeof OpenTraining,
  loadInWorker: LoadInWorker,
  newWorker: () => Worker,
  names: readonly string[],
): Promise<PolicyReport> {
  const files = await fetchModels(names),
    bytes = files[names[0]],
    { message: refused } = await rejects(loadInWorker(bytes), "engine/worker-failed");
  const page = await runSuite({ open: load, openTraining, files });
  const own = newWorker(),
    worker = await runSuite({ open: openInWorker(loadInWorker, own), openTraining, files });
  await checkWorker((source, options) => loadInWorker(source, { worker: newWorker(), ...options }), newWorker, bytes);
  nowAt("threads by number");
  const threadsByNumber = await loadInWorker(bytes, { worker: newWorker(), threads: 2 }).then(
    () => "no error",
    (error) => `${error.code} ${error.message}`,
  );
  return { page, worker, refused, threadsByNumber };
}
