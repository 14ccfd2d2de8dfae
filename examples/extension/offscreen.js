/**
 * The page that has the model. The policy of extensions forbids workers from blobs, so the worker is a file of ours.
 *
 *   esbuild offscreen.js model-worker.js --bundle --format=esm --splitting --outdir=dist
 */
import shakespeare from "onebit/shakespeare";
import { loadInWorker } from "onebit/worker";

const worker = new Worker(new URL("./model-worker.js", import.meta.url), { type: "module" }),
  model = loadInWorker(shakespeare, { worker });

chrome.runtime.onMessage.addListener(({ to, prompt }, _, answer) => {
  if (to !== "model") return false;
  model
    .then((loaded) => loaded.generate(prompt, { maxTokens: 100 }).text())
    .then((text) => answer({ text }))
    .catch((error) => answer({ error: String(error) }));
  return true;
});
