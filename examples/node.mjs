/**
 * Goes on with a text, in Node 20.16 or later. Ctrl-C stops the text, not the program.
 *
 *   npm install onebit
 *   node node.mjs "ROMEO:"
 */
import { load } from "onebit";

const prompt = process.argv[2] ?? "ROMEO:",
  stop = new AbortController();
// Once: a second Ctrl-C ends the program, as users expect.
process.once("SIGINT", () => stop.abort());

// The model in the package; `load("model.gguf")` or `load("hf:owner/repo")` take another one.
const model = await load();
// With a seed the text is the same on every machine; without one, another each time.
const generation = model.generate(prompt, { maxTokens: 300, temperature: 0.8, seed: 1, signal: stop.signal });
process.stdout.write(prompt);
for await (const { text } of generation) process.stdout.write(text);

const { stopReason, timings } = await generation.result();
// Not on standard output, which may go to a file.
console.error(
  `\n\n${stopReason}: ${timings.tokens} tokens, ${Math.round((1000 * timings.tokens) / timings.generateMs)} a second`,
);
await model.close();
