/**
 * Clients of OpenAI's interface against a server, as their users use them. Prints a line of JSON: each check with "ok"
 * or what went wrong.
 *
 *   node program.mjs http://localhost:8080/v1 MODEL
 */
import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool as langchainTool } from "@langchain/core/tools";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { Output, embed, generateText, isStepCount, streamText, tool } from "ai";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const [baseURL, model] = process.argv.slice(2);
const apiKey = "none";
const messages = [{ role: "user", content: "Say something." }];
const PERSON = z.object({ name: z.string().max(8), age: z.number().int().min(0).max(150) });
/** Without the two tokens that end a reply. */
const LONG = { seed: 5, logit_bias: { 632: -100, 634: -100 } };
const CITY = z.object({ city: z.enum(["Rome", "Paris"]) });
const parameters = {
  type: "object",
  properties: { city: { type: "string", enum: ["Rome", "Paris"] } },
  required: ["city"],
  additionalProperties: false,
};

const openai = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const provider = createOpenAICompatible({ name: "onebit", baseURL, apiKey, supportsStructuredOutputs: true });
const chatModel = provider.chatModel(model);
const langchain = (more = {}) =>
  new ChatOpenAI({ model, apiKey, configuration: { baseURL }, maxRetries: 0, maxTokens: 200, ...more });

/** Waits until the server computes for nobody. */
async function isIdle() {
  for (let i = 0; ; i++) {
    const metrics = await (await fetch(new URL("/metrics", baseURL))).text();
    if (/^onebit_requests_running 0$/m.test(metrics)) return;
    assert.ok(i < 100, "a client has left, and the server goes on");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const CHECKS = {
  async "openai: models"() {
    const found = [];
    for await (const one of openai.models.list()) found.push(one.id);
    assert.deepEqual(found, [model]);
    assert.equal((await openai.models.retrieve(model)).object, "model");
  },
  async "openai: chat, streamed and not, is the same with a seed"() {
    const body = { model, messages, max_tokens: 12, ...LONG };
    const whole = await openai.chat.completions.create(body);
    let text = "",
      usage;
    for await (const chunk of await openai.chat.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    })) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.equal(usage.completion_tokens, 12);
    assert.equal(whole.choices[0].finish_reason, "length");
    const helper = openai.chat.completions.stream(body);
    assert.equal(await helper.finalContent(), text);
  },
  async "openai: a reply in a schema of zod"() {
    const { choices } = await openai.chat.completions.parse({
      model,
      messages,
      max_tokens: 200,
      response_format: zodResponseFormat(PERSON, "person"),
    });
    PERSON.parse(choices[0].message.parsed);
  },
  async "openai: tools, there and back"() {
    const tools = [{ type: "function", function: { name: "weather", description: "Weather", parameters } }];
    const asked = { model, messages, tools, max_tokens: 300, seed: 1 };
    const { choices } = await openai.chat.completions.create({ ...asked, tool_choice: "required" });
    assert.equal(choices[0].finish_reason, "tool_calls");
    const [call] = choices[0].message.tool_calls;
    assert.equal(call.function.name, "weather");
    CITY.parse(JSON.parse(call.function.arguments));
    const streamed = openai.chat.completions.stream({ ...asked, tool_choice: "required" });
    const { tool_calls } = await streamed.finalMessage();
    assert.equal(tool_calls[0].function.arguments, call.function.arguments);
    const back = [...messages, choices[0].message, { role: "tool", tool_call_id: call.id, content: "Rain" }];
    const after = await openai.chat.completions.create({
      ...asked,
      messages: back,
      tool_choice: "none",
      max_tokens: 5,
    });
    assert.equal(after.choices[0].message.tool_calls, undefined);
  },
  async "openai: responses, streamed and not, with tools"() {
    const body = { model, input: "Say something.", max_output_tokens: 10, ...LONG };
    const whole = await openai.responses.create(body);
    assert.equal(whole.status, "incomplete");
    const events = [];
    for await (const event of await openai.responses.create({ ...body, stream: true })) events.push(event);
    const deltas = events.filter(({ type }) => type === "response.output_text.delta");
    assert.equal(deltas.map(({ delta }) => delta).join(""), events.at(-1).response.output[0].content[0].text);
    const tools = [{ type: "function", name: "weather", description: "Weather", parameters, strict: true }];
    const asked = { ...body, max_output_tokens: 300, tools, tool_choice: "required" };
    const { output } = await openai.responses.create(asked);
    const call = output.find(({ type }) => type === "function_call");
    CITY.parse(JSON.parse(call.arguments));
    const input = [
      { role: "user", content: "Say something." },
      ...output,
      { type: "function_call_output", call_id: call.call_id, output: "Rain" },
    ];
    assert.equal((await openai.responses.create({ ...body, input })).object, "response");
  },
  async "openai: embeddings, whose base64 the client decodes"() {
    const { data } = await openai.embeddings.create({ model, input: ["a cat", "a dog"] });
    const numbers = await openai.embeddings.create({ model, input: "a cat", encoding_format: "float" });
    assert.equal(data.length, 2);
    assert.deepEqual(
      [...data[0].embedding].map((x) => Math.fround(x)),
      numbers.data[0].embedding.map((x) => Math.fround(x)),
    );
  },
  async "openai: completions"() {
    const { choices } = await openai.completions.create({ model, prompt: ["a", "b"], max_tokens: 4, logprobs: 1 });
    assert.deepEqual([choices.length, choices[1].logprobs.tokens.length], [2, 4]);
  },
  async "openai: an abort ends the stream, and the next request is answered"() {
    const stream = await openai.chat.completions.create({ model, messages, max_tokens: 1500, ...LONG, stream: true });
    let nChunks = 0;
    for await (const _ of stream) if (++nChunks === 3) stream.controller.abort();
    assert.ok(nChunks < 1500);
    const stop = new AbortController(),
      asked = openai.chat.completions.create({ model, messages, max_tokens: 1500, ...LONG }, { signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    await assert.rejects(asked, OpenAI.APIUserAbortError);
    await isIdle();
    const { choices } = await openai.chat.completions.create({ model, messages, max_tokens: 1 });
    assert.equal(choices.length, 1);
  },
  async "openai: errors have their types and fields"() {
    const ask = (more) => openai.chat.completions.create({ model, messages, max_tokens: 1, ...more });
    await assert.rejects(ask({ temprature: 1 }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.deepEqual([error.param, error.code, error.type], ["temprature", "unknown_field", "invalid_request_error"]);
      return true;
    });
    await assert.rejects(ask({ model: "none" }), OpenAI.NotFoundError);
    const long = [{ role: "user", content: "many words ".repeat(5000) }];
    await assert.rejects(ask({ messages: long }), { code: "context_length_exceeded" });
    await assert.rejects(ask({ messages: long, stream: true }), { code: "context_length_exceeded" });
  },
  async "ai: text, streamed and not"() {
    const options = { model: chatModel, prompt: "Say something.", maxOutputTokens: 10, seed: 3, maxRetries: 0 };
    const { text, finishReason, usage } = await generateText(options);
    assert.deepEqual([finishReason, usage.outputTokens], ["length", 10]);
    const stream = streamText(options);
    let streamed = "";
    for await (const part of stream.textStream) streamed += part;
    assert.equal(streamed, text);
  },
  async "ai: an object in a schema"() {
    const { output } = await generateText({
      model: chatModel,
      prompt: "A person.",
      output: Output.object({ schema: PERSON }),
      maxOutputTokens: 300,
      maxRetries: 0,
    });
    PERSON.parse(output);
  },
  async "ai: a tool that runs, and an answer after it"() {
    const asked = [];
    const { steps } = await generateText({
      model: chatModel,
      prompt: "Weather?",
      tools: {
        weather: tool({
          description: "Weather",
          inputSchema: CITY,
          execute: async ({ city }) => (asked.push(city), "Rain"),
        }),
      },
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? "required" : "none" }),
      stopWhen: isStepCount(2),
      maxOutputTokens: 300,
      maxRetries: 0,
    });
    assert.ok(asked.length > 0);
    assert.equal(steps.length, 2);
  },
  async "ai: embeddings"() {
    const { embedding } = await embed({ model: provider.embeddingModel(model), value: "a cat", maxRetries: 0 });
    assert.ok(embedding.length > 1);
  },
  async "langchain: text, streamed and not"() {
    const chat = langchain({ maxTokens: 8 });
    const { content } = await chat.invoke("Say something.");
    assert.equal(typeof content, "string");
    let nChunks = 0;
    for await (const _ of await chat.stream("Say something.")) nChunks++;
    assert.ok(nChunks > 1);
  },
  async "langchain: an object in a schema"() {
    PERSON.parse(await langchain().withStructuredOutput(PERSON, { method: "jsonSchema" }).invoke("A person."));
  },
  async "langchain: tools, there and back"() {
    const weather = langchainTool(async () => "Rain", { name: "weather", description: "Weather", schema: CITY });
    const chat = langchain({ maxTokens: 300 }),
      first = await chat.bindTools([weather], { tool_choice: "required" }).invoke("Weather?"),
      [call] = first.tool_calls;
    assert.equal(call.name, "weather");
    CITY.parse(call.args);
    const result = new ToolMessage({ content: "Rain", tool_call_id: call.id });
    await langchain({ maxTokens: 5 }).invoke([new HumanMessage("Weather?"), first, result]);
  },
  async "langchain: embeddings"() {
    const embeddings = new OpenAIEmbeddings({ model, apiKey, configuration: { baseURL }, maxRetries: 0 });
    const [cat, dog] = await embeddings.embedDocuments(["a cat", "a dog"]);
    assert.equal(cat.length, dog.length);
  },
};

const found = {};
for (const [name, check] of Object.entries(CHECKS)) {
  try {
    await check();
    found[name] = "ok";
  } catch (error) {
    found[name] = String(error instanceof Error ? (error.stack ?? error.message) : error).slice(0, 2000);
  }
}
process.stdout.write(`${JSON.stringify(found)}\n`);
