/** `onebit/prompt-api` over the model in the box: what the standard says of sessions, without a browser's model. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Model } from "../../src/index.ts";
import { load } from "../../src/load.ts";
import { type PromptApi, promptApi } from "../../src/prompt-api.ts";
import { callTools } from "../../src/prompt-api/tools.ts";

const OPTIONS = { chatTemplate: "chatml", seed: 1 };

/** Whether it is a DOMException of that name. */
const named =
  (name: string, message = /./) =>
  (error: unknown): true => {
    assert.ok(error instanceof DOMException, String(error));
    assert.equal(error.name, name, error.message);
    assert.match(error.message, message);
    return true;
  };

describe("the Prompt API", () => {
  let model: Model, api: PromptApi;
  before(async () => {
    model = await load(undefined, { contextLength: 256, kvPositions: 1024 });
    api = promptApi(model, OPTIONS);
  });
  after(async () => await model.close());

  test("a prompt is the chat's reply, and goes on with the conversation", async () => {
    const session = await api.create({ initialPrompts: [{ role: "system", content: "Speak short." }] }),
      { topK, temperature } = session,
      options = { ...OPTIONS, topK, temperature, maxTokens: 256, format: { regex: "[a-z ]{8}" } };
    const messages = [
      { role: "system", content: "Speak short." },
      { role: "user", content: "Hello" },
    ];
    const constraint = { responseConstraint: /[a-z ]{8}/, omitResponseConstraintInput: true };
    const first = await session.prompt("Hello", constraint);
    assert.equal(first, await model.chat(messages, options).text());
    messages.push({ role: "assistant", content: first }, { role: "user", content: "More" });
    assert.equal(await session.prompt("More", constraint), await model.chat(messages, options).text());
    const usage = (
      await model.chatPrompt([...messages, { role: "assistant", content: "12345678" }], {
        chatTemplate: "chatml",
        addGenerationPrompt: false,
      }).ids
    ).length;
    assert.deepEqual([session.contextUsage, session.inputUsage], [usage, usage]);
    assert.deepEqual([session.contextWindow, session.inputQuota], [256, 256]);
    session.destroy();
  });

  test("a constraint is kept, and told unless omitted", async () => {
    const session = await api.create(),
      schema = { type: "object", properties: { age: { type: "integer", minimum: 0, maximum: 9 } }, required: ["age"] };
    const bare = await session.measureContextUsage("Your age?"),
      told = await session.measureContextUsage("Your age?", { responseConstraint: schema }),
      omitted = { responseConstraint: schema, omitResponseConstraintInput: true };
    assert.ok(told > bare + JSON.stringify(schema).length);
    assert.equal(await session.measureInputUsage("Your age?", omitted), bare);
    assert.equal(session.contextUsage, 0);
    const { age } = JSON.parse(await session.prompt("Your age?", omitted)) as { age: number };
    assert.ok(Number.isInteger(age));
    assert.match(await session.prompt("?", { responseConstraint: /(yes|no)!/u }), /^(yes|no)!$/);
    await assert.rejects(session.prompt("?", { responseConstraint: /a/i }), named("NotSupportedError"));
    await assert.rejects(session.prompt("?", { responseConstraint: { type: "nothing" } }), named("NotSupportedError"));
    await assert.rejects(session.prompt("?", { omitResponseConstraintInput: true }), TypeError);
    session.destroy();
  });

  test("a stream gives what a prompt does, and stops when it is left", async () => {
    const [one, other] = await Promise.all([api.create(), api.create()]),
      constraint = { responseConstraint: /[a-z ]{40}/, omitResponseConstraintInput: true };
    let text = "",
      nChunks = 0;
    for await (const chunk of one.promptStreaming("Hello", constraint)) {
      text += chunk;
      nChunks++;
    }
    assert.equal(text, await other.prompt("Hello", constraint));
    assert.ok(nChunks > 10);
    const reader = one.promptStreaming("More", constraint).getReader();
    await reader.read();
    const usage = one.contextUsage;
    await reader.cancel();
    assert.equal(one.contextUsage, usage);
    // What was left is not part of the conversation.
    assert.equal(await one.prompt("Next", constraint), await other.prompt("Next", constraint));
  });

  test("a prefix is gone on with", async () => {
    const session = await api.create(),
      prefix = { role: "assistant", content: "My name is ", prefix: true },
      constraint = { responseConstraint: /[A-Z][a-z]{3}/, omitResponseConstraintInput: true };
    const found = await session.prompt([{ role: "user", content: "Who?" }, prefix], constraint);
    assert.match(found, /^[A-Z][a-z]{3}$/);
    const before = await api.create({
      initialPrompts: [
        { role: "user", content: "Who?" },
        { role: "assistant", content: [{ type: "text", value: `My name is ${found}` }] },
      ],
    });
    assert.equal(session.contextUsage, before.contextUsage);
    await assert.rejects(session.prompt([prefix, { role: "user", content: "?" }]), named("SyntaxError"));
    await assert.rejects(session.prompt([{ role: "user", content: "?", prefix: true }]), named("SyntaxError"));
  });

  test("append reads ahead, clone goes its own way", async () => {
    const session = await api.create({ initialPrompts: [{ role: "user", content: "A" }] }),
      constraint = { responseConstraint: /[a-z]{5}/, omitResponseConstraintInput: true };
    await session.append("Once more unto the breach, dear friends");
    assert.ok(model.cachedIds.length >= 0 && session.contextUsage > 40);
    const clone = await session.clone(),
      text = await session.prompt("?", constraint);
    assert.ok(clone.contextUsage < session.contextUsage);
    assert.equal(await clone.prompt("?", constraint), text);
    session.destroy();
    assert.match(await clone.prompt("?", constraint), /^[a-z]{5}$/);
  });

  test("the oldest turns make room, with an event; what does not fit alone is refused", async () => {
    const session = await api.create({ initialPrompts: [{ role: "system", content: "S".repeat(40) }] }),
      constraint = { responseConstraint: /[a-z]{4}/, omitResponseConstraintInput: true },
      heard: string[] = [];
    session.oncontextoverflow = ({ type }) => void heard.push(`on ${type}`);
    session.onquotaoverflow = ({ type }) => void heard.push(`on ${type}`);
    session.addEventListener("quotaoverflow", ({ type }) => heard.push(type));
    for (let turn = 0; turn < 4; turn++) await session.prompt("x".repeat(60), constraint);
    assert.deepEqual([...new Set(heard)].sort(), ["on contextoverflow", "on quotaoverflow", "quotaoverflow"]);
    assert.ok(session.contextUsage <= 256);
    await assert.rejects(
      session.prompt("y".repeat(300)),
      (error: DOMException & { requested: number; quota: number }) => {
        named("QuotaExceededError")(error);
        return error.requested > 300 && error.quota === 256;
      },
    );
    await assert.rejects(
      api.create({ initialPrompts: [{ role: "user", content: "z".repeat(300) }] }),
      named("QuotaExceededError"),
    );
  });

  test("signals and destroy stop what runs, and what waits", async () => {
    const session = await api.create(),
      stop = new AbortController(),
      reason = new Error("enough");
    const running = session.prompt("Hello", { signal: stop.signal }),
      waiting = session.prompt("Hello", { signal: stop.signal });
    stop.abort(reason);
    await assert.rejects(running, reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(session.append("a", { signal: stop.signal }), reason);
    await assert.rejects(api.create({ signal: stop.signal }), reason);
    assert.equal(session.contextUsage, 0);
    const ended = session.prompt("Hello");
    session.destroy();
    await assert.rejects(ended, named("AbortError"));
    await assert.rejects(session.prompt("Hello"), named("AbortError"));
    await assert.rejects(session.clone(), named("AbortError"));
    await assert.rejects(session.measureContextUsage("Hello"), named("AbortError"));
  });

  test("what models here cannot read is unavailable, wrong arguments are refused", async () => {
    assert.equal(await api.availability(), "available");
    const text = { expectedInputs: [{ type: "text", languages: ["en", "de-CH-1901"] }] };
    assert.equal(await api.availability(text), "available");
    const image = { expectedInputs: [{ type: "image" }] };
    assert.equal(await api.availability(image), "unavailable");
    await assert.rejects(api.create(image), named("NotSupportedError"));
    await assert.rejects(api.availability({ expectedInputs: [{ type: "text", languages: ["no such"] }] }), RangeError);
    await assert.rejects(api.create({ topK: 0 }), RangeError);
    await assert.rejects(api.create({ temperature: -1 }), RangeError);
    const { maxTopK, maxTemperature } = await api.params(),
      session = await api.create({ topK: Infinity, temperature: 99 });
    assert.deepEqual([session.topK, session.temperature], [maxTopK, maxTemperature]);
    const certain = await api.create({ samplingMode: "most-predictable" });
    assert.deepEqual([certain.topK, certain.temperature, certain.samplingMode], [1, 0, "most-predictable"]);
    const picture = [{ role: "user", content: [{ type: "image", value: new Uint8Array(3) }] }];
    await assert.rejects(session.prompt(picture), named("NotSupportedError"));
    await assert.rejects(session.prompt([{ role: "nobody", content: "?" }]), TypeError);
    await session.append("first");
    await assert.rejects(session.prompt([{ role: "system", content: "late" }]), named("TypeError"));
  });

  test("the first session loads the model, and hears how it goes", async () => {
    let nLoads = 0;
    const fails = promptApi(() => Promise.reject(new Error("no"))),
      lazy = promptApi(async (options) => {
        nLoads++;
        return await load(undefined, { ...options, contextLength: 64 });
      }, OPTIONS);
    assert.equal(await lazy.availability(), "downloadable");
    const heard: number[] = [];
    const made = lazy.create({
      monitor: (monitor) => {
        monitor.addEventListener("downloadprogress", (event) => {
          if ("loaded" in event && typeof event.loaded === "number") heard.push(event.loaded);
        });
      },
    });
    assert.equal(await lazy.availability(), "downloading");
    const [session, other] = await Promise.all([made, lazy.create()]);
    assert.equal(await lazy.availability(), "available");
    assert.deepEqual([nLoads, heard[0], heard.at(-1)], [1, 0, 1]);
    assert.match(
      await session.prompt("Hi", { responseConstraint: /[ab]/, omitResponseConstraintInput: true }),
      /^[ab]$/,
    );
    other.destroy();
    await assert.rejects(fails.create(), named("OperationError", /cannot be loaded/));
    await assert.rejects(fails.create(), named("OperationError"));
  });

  test("a closed model ends its sessions", async () => {
    const short = await load(undefined, { contextLength: 64 }),
      session = await promptApi(short, OPTIONS).create();
    await short.close();
    await assert.rejects(session.prompt("?"), named("InvalidStateError"));
    session.destroy();
  });

  test("tools are called with their arguments, and told of by what they give", async () => {
    const tool = {
      name: "weather",
      description: "of a place",
      inputSchema: { type: "object", properties: { place: { type: "string" } } },
      execute: async ({ place }: { place: string }) => `rain in ${place}`,
    };
    const call = (text: string) => [{ id: "1", name: "weather", arguments: text }];
    assert.deepEqual(await callTools([tool], call('{"place":"Rome"}'), ""), [
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "1", type: "function", function: { name: "weather", arguments: '{"place":"Rome"}' } }],
      },
      { role: "tool", tool_call_id: "1", name: "weather", content: "rain in Rome" },
    ]);
    await assert.rejects(callTools([tool], call('{"place":"Ro'), ""), named("OperationError"));
    // The model is told of them, and may answer without.
    const session = await promptApi(model, OPTIONS).create({ tools: [{ ...tool, inputSchema: {} }] }),
      bare = await api.create();
    assert.ok((await session.measureContextUsage("?")) >= (await bare.measureContextUsage("?")));
  });
});
