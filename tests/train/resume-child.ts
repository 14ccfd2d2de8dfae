/**
 * Trains to the end, from the last checkpoint of a folder; prints a line for each event.
 *
 *   node resume-child.js FOLDER [THREADS]
 */
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { openTraining } from "../../src/train/open.ts";
import { RESUMED } from "./resume-recipe.ts";

const [, , folder, threads = "1"] = process.argv;
await using training = await openTraining({
  ...RESUMED,
  platform: nodePlatform(),
  folder,
  threads: Number(threads),
  resume: true,
});
process.stdout.write(`open ${training.step}\n`);
for await (const event of training) process.stdout.write(`${event.kind} ${event.step}\n`);
