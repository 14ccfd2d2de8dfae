/** The utility process: answers `{ prompt, source }` by `{ text }` for each piece, then `{ end }`, or `{ error }`. */
import { load } from "onebit";

let loading;
process.parentPort.on("message", async ({ data: { prompt, source } }) => {
  try {
    const model = await (loading ??= load(source));
    for await (const { text } of model.generate(prompt, { maxTokens: 100, seed: 1 }))
      process.parentPort.postMessage({ text });
    process.parentPort.postMessage({ end: true });
  } catch (error) {
    process.parentPort.postMessage({ error: String(error) });
  }
});
