/**
 * Runs programs one after another, each in its folder, and writes what each of them threw:
 *
 *   node run-examples.mjs FOLDER PROGRAM…
 *
 * FOLDER has node_modules with the package, and PROGRAM.mjs in a folder PROGRAM for each. Workers of a page are the
 * package's own host in this process, over real message ports.
 */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, ...programs] = process.argv.slice(2);
// Threads that wait for each other would take most of the time.
os.availableParallelism = () => 1;
const listeners = [];
globalThis.addEventListener = (_type, listener) => void listeners.push(listener);
globalThis.Worker = class {
  addEventListener() {}
  terminate() {}
  postMessage(data, ports) {
    listeners[0]({ data, ports });
  }
};
const host = createRequire(join(folder, "x.mjs")).resolve("onebit/worker-host");
(await import(pathToFileURL(host).href)).serve();

const failures = {};
for (const program of programs) {
  process.chdir(join(folder, program));
  try {
    await import(pathToFileURL(join(folder, program, `${program}.mjs`)).href);
  } catch (error) {
    failures[program] = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}
writeFileSync(join(folder, "failures.json"), JSON.stringify(failures));
// A program that leaves something open has still ended well.
process.exit(0);
