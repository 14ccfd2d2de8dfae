/** A page that goes on with a text: the model runs in a worker, so that the page stays free while it computes. */
import shakespeare from "onebit/shakespeare";
import { loadInWorker } from "onebit/worker";

const form = document.querySelector("form")!,
  output = document.querySelector("output")!,
  status = document.querySelector("#status")!;

// The model in the package, too small to gain from threads. A File that the user chose, or a URL, would be another;
// `onProgress` tells how far it is.
const model = await loadInWorker(shakespeare, { threads: 1 });
status.textContent =
  `Ready, on ${model.engine.threads === 1 ? "one thread" : `${model.engine.threads} threads`}. Nothing you type ` +
  "leaves this page.";

let stop = new AbortController();
form.addEventListener("reset", (event) => {
  // Only the text stops; what was typed stays.
  event.preventDefault();
  stop.abort();
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  stop.abort();
  stop = new AbortController();
  const { signal } = stop,
    prompt = String(new FormData(form).get("prompt"));
  output.textContent = prompt;
  try {
    // With a seed the text is the same in every browser.
    for await (const { text } of model.generate(prompt, { maxTokens: 500, temperature: 0.8, seed: 1, signal }))
      output.append(text);
  } catch (error) {
    status.textContent = String(error);
  }
});
