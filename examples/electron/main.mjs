/**
 * Electron: the model computes in a utility process, so that neither windows nor the main process wait for it.
 *
 *   npm install electron onebit && npx electron main.mjs
 */
import { app, utilityProcess } from "electron";
import { fileURLToPath } from "node:url";

await app.whenReady();
const model = utilityProcess.fork(fileURLToPath(new URL("./model.mjs", import.meta.url)));
model.on("message", ({ text, end, error }) => {
  process.stdout.write(text ?? error ?? "");
  if (end || error) app.quit();
});
// A path or "hf:owner/repo"; without one, the model in the package.
model.postMessage({ prompt: "ROMEO:", source: process.argv[2] });
