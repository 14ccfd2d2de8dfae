/** Loads the model at a path and prints how that ended, in what processor time, and how far the peak of memory rose. */
import { existsSync, readFileSync } from "node:fs";
import { OnebitError } from "../../src/core/errors.ts";
import { load } from "../../src/load.ts";

const path = process.argv[2];
globalThis.gc?.();
const rssBytes = process.memoryUsage.rss(), begin = process.cpuUsage();
const outcome = await load(path, { threads: 1 }).then(
  async (model) => (await model.close(), "accepted"),
  (error: unknown) => (error instanceof OnebitError ? `${error.code}: ${error.message.slice(0, 100)}` : `untyped ${error instanceof Error ? error.stack : String(error)}`),
);
const { user, system } = process.cpuUsage(begin);
process.stdout.write(JSON.stringify({ outcome, processorMs: (user + system) / 1000, heldBytes: peakBytes() - rssBytes }));

/** Linux begins `maxRSS` at what the parent held; the line VmHWM is of this process alone. */
function peakBytes(): number {
  const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : "", [, kilobytes] = /^VmHWM:\s*(\d+) kB/m.exec(status) ?? [];
  return (kilobytes === undefined ? process.resourceUsage().maxRSS : Number(kilobytes)) * 1024;
}
