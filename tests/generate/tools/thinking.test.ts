/** Thinking: told from the reply however it is cut, turned on and off, and ended by its budget. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ChatOptions } from "../../../src/generate/chat-options.ts";
import { type PromptThinking, ThinkingReader } from "../../../src/generate/thinking.ts";
import type { Model } from "../../../src/model.ts";
import { templateShowing, toolModel } from "./tool-model.ts";

const marks = { begin: "<think>", end: "</think>" };

function read(state: PromptThinking["state"], pieces: readonly string[]): [reasoning: string, text: string] {
  const reader = new ThinkingReader({ marks, state });
  const deltas = [...pieces.map((piece) => reader.push(piece)), reader.end()];
  return [deltas.map(({ reasoning }) => reasoning).join(""), deltas.map(({ text }) => text).join("")];
}

describe("a reply with thinking", () => {
  const cases: readonly (readonly [PromptThinking["state"], string, string, string])[] = [
    ["maybe", "<think>\nTwo and two.\n</think>\n\nFour.", "Two and two.", "Four."],
    ["maybe", " \n<think>a </thin b</think>c</think>", "a </thin b", "c</think>"],
    ["maybe", "No <think>thoughts</think>.", "", "No <think>thoughts</think>."],
    ["maybe", "<thin", "", "<thin"],
    ["maybe", "\n \n plain", "", "\n \n plain"],
    ["maybe", "<think>\n\n</think>\n\nFour.", "", "Four."],
    ["maybe", "<think>never ends </th", "never ends </th", ""],
    ["begun", "é 😀\n\nmore\n</think>\n \n x ", "é 😀\n\nmore", "x "],
    ["begun", "\n</think>", "", ""],
    ["none", "<think>as text</think>", "", "<think>as text</think>"],
  ];
  for (const [state, reply, reasoning, text] of cases) {
    test(`${state}: ${JSON.stringify(reply)}`, () => {
      assert.deepEqual(read(state, [reply]), [reasoning, text]);
      assert.deepEqual(read(state, reply.split("")), [reasoning, text]);
      for (let at = 1; at < reply.length; at++)
        assert.deepEqual(read(state, [reply.slice(0, at), reply.slice(at)]), [reasoning, text], `cut at ${at}`);
    });
  }
});

const QUESTION = [{ role: "user", content: "?" }];
const ASKED = "<|im_start|>user\n?<|im_end|>\n<|im_start|>assistant\n";
/** Of Qwen3: the model begins to think by itself. */
const QWEN3 = templateShowing("<think>").replace(
  /assistant\n\{% endif %\}$/,
  "assistant\n{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n" +
    "{% endif %}{% endif %}",
);
/** Of DeepSeek R1: the prompt begins it, and nothing turns it off. */
const R1 = templateShowing("<think>").replace(/assistant\n\{% endif %\}$/, "assistant\n<think>\n{% endif %}");

function promptOf(model: Model, options: ChatOptions): string {
  return model
    .chatPrompt(QUESTION, options)
    .parts.map(({ text }) => text)
    .join("");
}

describe("the option thinking", () => {
  test("is said to the template, and what it does not do is done behind it", async () => {
    await using qwen = toolModel({ chatTemplate: QWEN3 });
    await using r1 = toolModel({ chatTemplate: R1 });
    await using none = toolModel({ chatTemplate: templateShowing("nothing") });
    const prompts: readonly (readonly [Model, ChatOptions["thinking"], string])[] = [
      [qwen, undefined, ""],
      [qwen, "on", "<think>\n"],
      [qwen, { budget: 3 }, "<think>\n"],
      [qwen, "off", "<think>\n\n</think>\n\n"],
      [r1, undefined, "<think>\n"],
      [r1, "on", "<think>\n"],
      [r1, "off", "<think>\n\n</think>\n\n"],
      [none, undefined, ""],
      [none, "off", ""],
    ];
    for (const [model, thinking, more] of prompts) assert.equal(promptOf(model, { thinking }), ASKED + more);
    // The marks are the model's own tokens.
    const think = qwen.tokenizer.tokenId("<think>");
    assert.equal(qwen.chatPrompt(QUESTION, { thinking: "on" }).ids.at(-2), think);
  });

  test("is refused where the model cannot think, where it is said twice, and where no reply begins", async () => {
    await using qwen = toolModel({ chatTemplate: QWEN3 });
    await using none = toolModel({ chatTemplate: templateShowing("nothing") });
    const fails = (model: Model, options: ChatOptions, message: RegExp): Promise<void> =>
      assert.rejects(model.chat(QUESTION, options).result(), (error: { code?: string; message: string }) => {
        assert.equal(error.code, "option/invalid");
        assert.match(error.message, message);
        return true;
      });
    await fails(none, { thinking: "on" }, /knows no thinking/);
    await fails(none, { thinking: { budget: 1 } }, /knows no thinking/);
    await fails(qwen, { thinking: "off", templateVariables: { enable_thinking: true } }, /enable_thinking/);
    await fails(qwen, { thinking: "on", continueFinalMessage: true }, /continueFinalMessage/);
    await fails(qwen, { thinking: "maybe" as "on" }, /"on" or "off"/);
    await fails(qwen, { thinking: { budget: -1 } }, /budget/);
    await fails(qwen, { toolChoice: "required" }, /no tools/);
  });

  test("with a budget: at most so many tokens of thinking, then an answer", async () => {
    await using model = toolModel({ chatTemplate: QWEN3, likely: { "<|im_end|>": 2 } });
    for (const budget of [0, 1, 7, 40]) {
      for (const more of [{}, { logprobs: 0 }, { speculate: "lookup" }, { format: { regex: "[ab]{3}" } }] as const) {
        for (let seed = 0; seed < 4; seed++) {
          const options = { thinking: { budget }, seed, maxTokens: 200, temperature: 2, ...more };
          const { ids, reasoning, text, stopReason } = await model.chat(QUESTION, options).result();
          const end = ids.indexOf(model.tokenizer.tokenId("</think>")!);
          const written = model.tokenizer.decode(ids);
          // A character of four bytes may still be finished, and a line break comes before the end.
          if (end >= 0) assert.ok(end <= budget + 4, `${end} of ${budget}: ${written}`);
          assert.ok(written.includes("</think>"), written);
          assert.ok(!reasoning.includes("</think>") && reasoning.length <= budget * 8, reasoning);
          if ("format" in more && stopReason === "stop") assert.match(text, /^[ab]{3}$/);
        }
      }
    }
  });

  test("takes reasoning out of text and pieces by itself where the template thinks, and nowhere else", async () => {
    const likely = { "<think>": 30, "</think>": 6, "<|im_end|>": 2 };
    await using qwen = toolModel({ chatTemplate: QWEN3, likely });
    await using none = toolModel({ chatTemplate: templateShowing("nothing"), likely });
    let nThought = 0;
    for (let seed = 0; seed < 10; seed++) {
      const options = { seed, maxTokens: 60 },
        generation = qwen.chat(QUESTION, options);
      let [text, reasoning] = ["", ""];
      for await (const piece of generation) {
        text += piece.text;
        reasoning += piece.reasoning ?? "";
      }
      const result = await generation.result();
      assert.deepEqual([text, reasoning], [result.text, result.reasoning]);
      if (reasoning !== "") nThought++;
      const same = await none.chat(QUESTION, options).result();
      assert.deepEqual(same.ids, result.ids);
      assert.equal(same.text, none.tokenizer.decode(same.ids));
      assert.deepEqual([same.reasoning, same.toolCalls], ["", []]);
    }
    assert.ok(nThought > 3);
  });

  test("comes before a format and before calls", async () => {
    await using model = toolModel({ chatTemplate: QWEN3, likely: { "</think>": 5, '"': 4, "}": 4, "<|im_end|>": 8 } });
    const tools = [{ name: "now" }];
    for (let seed = 0; seed < 10; seed++) {
      const formed = await model
        .chat(QUESTION, { thinking: "on", format: { regex: "yes|no" }, seed, maxTokens: 400 })
        .result();
      if (formed.stopReason === "stop") assert.match(formed.text, /^(yes|no)$/);
      const called = await model
        .chat(QUESTION, { thinking: "on", tools, toolFormat: "hermes", toolChoice: "required", seed, maxTokens: 400 })
        .result();
      if (called.stopReason === "stop") assert.equal(called.toolCalls[0]?.name, "now");
      const free = await model.chat(QUESTION, { format: { regex: "yes|no" }, seed, maxTokens: 400 }).result();
      if (free.stopReason === "stop") assert.match(free.text, /^(yes|no)$/);
    }
  });

  test("of a message that goes on: its thinking goes on too", async () => {
    await using model = toolModel({ chatTemplate: QWEN3, likely: { "</think>": -9 } });
    const messages = [...QUESTION, { role: "assistant", content: "<think>\nSo far" }];
    const { reasoning } = await model.chat(messages, { continueFinalMessage: true, maxTokens: 20, seed: 1 }).result();
    assert.ok(reasoning !== "");
  });
});
