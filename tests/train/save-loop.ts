/**
 * Resumes from a folder and saves to it for ever, as a trainer would: prints `saved <step>` after each save.
 *
 *   node save-loop.js FOLDER
 */
import { loadLatestCheckpoint, saveCheckpoint } from "../../src/train/checkpoint.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";

const folder = process.argv[2],
  platform = nodePlatform();
const loaded = await loadLatestCheckpoint(platform, folder);
if (loaded && loaded.skipped.length > 0) throw new Error(`skipped ${loaded.skipped[0].reason}`);
const values = new Float32Array(600_000),
  counts = new Int32Array(300_000);
for (let step = (loaded?.step ?? 0) + 1; ; step++) {
  values.fill(step);
  counts.fill(-step);
  await saveCheckpoint(platform, folder, step, {
    state: { step },
    arrays: new Map<string, Float32Array | Int32Array>([
      ["values", values],
      ["counts", counts],
    ]),
  });
  process.stdout.write(`saved ${step}\n`);
}
