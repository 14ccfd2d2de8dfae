/**
 * The AI SDK with a model in its own process, by onebit/ai-sdk. Prints a line of JSON: each check with "ok" or what
 * went wrong.
 *
 *   node in-process.mjs FOLDER MODEL      of a folder in which onebit is installed; a file of a model
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Output, embed, embedMany, generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";

const [folder, file] = process.argv.slice(2);
const installed = createRequire(pathToFileURL(resolve(folder, "x.js")));
const { load } = await import(pathToFileURL(installed.resolve("onebit")).href);
const { embeddingModel, languageModel } = await import(pathToFileURL(installed.resolve("onebit/ai-sdk")).href);

const loaded = await load(file, { contextLength: 2048, kvPositions: 4096, threads: 1 });
/** Without the two tokens that end a reply. */
const LONG = { logitBias: { 632: -100, 634: -100 } };
const model = languageModel(loaded, { modelId: "here" });
const prompt = "Say something.";
const PERSON = z.object({ name: z.string().max(8), age: z.number().int().min(0).max(150) });
const CITY = z.object({ city: z.enum(["Rome", "Paris"]) });
const weather = (calls) =>
  tool({
    description: "The weather of a city",
    inputSchema: CITY,
    execute: ({ city }) => {
      calls.push(city);
      return `22 °C in ${city}`;
    },
  });

const CHECKS = {
  async "text, streamed and not, is the same with a seed"() {
    const options = { model, prompt, maxOutputTokens: 12, seed: 5, providerOptions: { onebit: LONG } };
    const whole = await generateText(options),
      stream = streamText(options);
    let text = "";
    for await (const delta of stream.textStream) text += delta;
    assert.equal(text, whole.text);
    assert.equal(whole.finishReason, "length");
    assert.equal((await stream.usage).outputTokens, 12);
  },
  async "a value of a schema"() {
    const { output } = await generateText({
      model,
      prompt,
      output: Output.object({ schema: PERSON }),
      seed: 1,
      maxOutputTokens: 300,
    });
    assert.deepEqual(PERSON.parse(output), output);
  },
  async "a round trip of tools"() {
    const calls = [];
    const { steps } = await generateText({
      model,
      prompt,
      tools: { weather: weather(calls) },
      toolChoice: "required",
      stopWhen: isStepCount(2),
      seed: 3,
      maxOutputTokens: 400,
    });
    assert.equal(steps.length, 2);
    assert.ok(calls.length > 0 && calls.every((city) => ["Rome", "Paris"].includes(city)));
    assert.equal(steps[0].toolResults[0].output, `22 °C in ${calls[0]}`);
  },
  async "a stream of calls"() {
    const calls = [];
    const stream = streamText({ model, prompt, tools: { weather: weather(calls) }, toolChoice: "required", seed: 4 });
    const kinds = new Set();
    for await (const part of stream.fullStream) kinds.add(part.type);
    for (const kind of ["tool-input-start", "tool-input-delta", "tool-call", "tool-result", "finish"])
      assert.ok(kinds.has(kind), kind);
    assert.ok(calls.length > 0);
  },
  async abort() {
    const controller = new AbortController();
    const stream = streamText({
      model,
      prompt,
      abortSignal: controller.signal,
      maxOutputTokens: 1500,
      providerOptions: { onebit: LONG },
    });
    let isAborted = false;
    for await (const part of stream.fullStream) {
      if (part.type === "text-delta") controller.abort();
      if (part.type === "abort") isAborted = true;
      assert.notEqual(part.type, "error");
    }
    assert.ok(isAborted);
    assert.ok((await generateText({ model, prompt, maxOutputTokens: 2 })).text.length >= 0);
  },
  async "errors name the option"() {
    await assert.rejects(
      generateText({ model, prompt, maxRetries: 0, providerOptions: { onebit: { minPP: 1 } } }),
      /minPP/,
    );
  },
  async embeddings() {
    const one = await embed({ model: embeddingModel(loaded), value: "a" }),
      many = await embedMany({ model: embeddingModel(loaded), values: ["a", "b"] });
    assert.deepEqual(many.embeddings[0], one.embedding);
    assert.equal(many.embeddings.length, 2);
  },
};

const outcomes = {};
for (const [name, check] of Object.entries(CHECKS))
  outcomes[name] = await check().then(
    () => "ok",
    (error) => error.stack ?? String(error),
  );
await loaded.close();
console.log(JSON.stringify(outcomes));
