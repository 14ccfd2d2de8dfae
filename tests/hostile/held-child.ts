/** Loads the model at a path and prints how that ended, in what processor time, and how far the peak of memory rose. */
import { OnebitError } from "../../src/core/errors.ts";
import { load } from "../../src/load.ts";
import { peakBytes } from "./peak-memory.ts";

const path = process.argv[2];
globalThis.gc?.();
const rssBytes = process.memoryUsage.rss(),
  begin = process.cpuUsage();
const outcome = await load(path, { threads: 1 }).then(
  async (model) => (await model.close(), "accepted"),
  (error: unknown) =>
    error instanceof OnebitError
      ? `${error.code}: ${error.message.slice(0, 100)}`
      : `untyped ${error instanceof Error ? error.stack : String(error)}`,
);
const { user, system } = process.cpuUsage(begin);
process.stdout.write(
  JSON.stringify({ outcome, processorMs: (user + system) / 1000, heldBytes: peakBytes() - rssBytes }),
);
