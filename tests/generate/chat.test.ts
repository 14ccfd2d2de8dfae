/** Chat prompts: the right template, and messages as clients send them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CHAT_TEMPLATES, chooseChatTemplate } from "../../src/generate/chat-templates.ts";
import type { ChatMessage, ChatPromptOptions } from "../../src/generate/chat-options.ts";
import { renderChat } from "../../src/generate/chat.ts";
import type { ChatOptions } from "../../src/generate/chat-options.ts";
import { Model } from "../../src/model.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { BOS, bytesOf, fakeEngine, fakeTokenizer, scriptedEngine } from "./fakes.ts";

const CONFIG = { architecture: "llama", name: "fake" } as ModelConfig;
/** More than any prompt here takes. */
const ROOM = { contextLength: 4096, maxTokens: 512 };
const MESSAGES: ChatMessage[] = [
  { role: "system", content: " Be brief. " },
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello\n" },
  { role: "user", content: "Bye" },
];

function rendered(messages: readonly ChatMessage[], options: ChatPromptOptions, tokenizer = fakeTokenizer()): string {
  return renderChat(messages, options, tokenizer, CONFIG, ROOM)
    .parts.map(({ text }) => text)
    .join("");
}

describe("chat templates of families", () => {
  test("bitnet: roles by name, contents trimmed, every turn ended", () => {
    assert.equal(
      rendered(MESSAGES, { chatTemplate: "bitnet" }),
      "<s>System: Be brief.<|eot_id|>User: Hi<|eot_id|>Assistant: Hello<|eot_id|>User: Bye<|eot_id|>Assistant: ",
    );
  });

  test("chatml", () => {
    assert.equal(
      rendered(MESSAGES, { chatTemplate: "chatml" }),
      "<|im_start|>system\n Be brief. <|im_end|>\n<|im_start|>user\nHi<|im_end|>\n" +
        "<|im_start|>assistant\nHello\n<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
    );
  });

  test("falcon3", () => {
    assert.equal(
      rendered(MESSAGES, { chatTemplate: "falcon3" }),
      "<|system|>\n Be brief. \n<|user|>\nHi\n<|assistant|>\nHello\n</s>\n<|user|>\nBye\n<|assistant|>\n",
    );
  });

  test("llama3", () => {
    assert.equal(
      rendered(MESSAGES.slice(1, 2), { chatTemplate: "llama3" }),
      "<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    );
  });

  test("end before the assistant's turn when asked", () => {
    assert.equal(
      rendered(MESSAGES.slice(1, 2), { chatTemplate: "bitnet", addGenerationPrompt: false }),
      "<s>User: Hi<|eot_id|>",
    );
  });
});

describe("the choice of a template", () => {
  const choose = (chatTemplate: string | undefined, config: Partial<ModelConfig>, wanted?: string): string =>
    chooseChatTemplate(wanted, fakeTokenizer({ chatTemplate }), { ...CONFIG, ...config } as ModelConfig);

  test("is the caller's, else the file's, else the family's", () => {
    assert.equal(choose("own", {}, "mine: {{ messages }}"), "mine: {{ messages }}");
    assert.equal(choose("own", {}, "chatml"), CHAT_TEMPLATES.chatml);
    assert.equal(choose("own", {}), "own");
    assert.equal(choose(undefined, {}), CHAT_TEMPLATES.chatml);
  });

  test("replaces the wrong template of early BitNet files", () => {
    const wrong = "{% for m in messages %}{{ 'Human: ' + m.content + '\\n\\nBITNETAssistant: ' }}{% endfor %}";
    assert.equal(choose(wrong, { architecture: "bitnet-b1.58" }), CHAT_TEMPLATES.bitnet);
    assert.equal(choose(wrong, { architecture: "llama" }), wrong);
    const right = "{% for m in messages %}{{ m.content + '<|eot_id|>' }}{% endfor %}";
    assert.equal(choose(right, { architecture: "bitnet-b1.58", nEmbd: 2560, nLayers: 30 }), right);
    assert.equal(choose(undefined, { architecture: "bitnet-b1.58", nEmbd: 2560, nLayers: 30 }), CHAT_TEMPLATES.bitnet);
  });

  test("refuses to guess for a base model", () => {
    const tokenizer = { ...fakeTokenizer(), chatTemplate: undefined, tokenId: () => undefined };
    assert.throws(() => chooseChatTemplate(undefined, tokenizer, CONFIG), {
      code: "template/missing",
      message: /chatTemplate: bitnet, chatml/,
    });
  });
});

describe("named templates", () => {
  const keys = {
    "tokenizer.chat_template.tool_use": "T{{ tools|length }}",
    "tokenizer.chat_template.rag": "R{{ documents|length }}",
  };
  const tokenizer = fakeTokenizer({ addBos: false, chatTemplate: "D{{ messages|length }}", keys });
  const user: ChatMessage[] = [{ role: "user", content: "x" }];

  test("of a file: by name, and tool_use where there are tools", () => {
    assert.equal(rendered(user, {}, tokenizer), "D1");
    assert.equal(rendered(user, { tools: [] }, tokenizer), "D1");
    assert.equal(rendered(user, { tools: [{}] }, tokenizer), "T1");
    // It knows no tools, so that a system message tells of them.
    assert.equal(rendered(user, { tools: [{}], chatTemplate: "default" }, tokenizer), "D2");
    assert.equal(rendered(user, { documents: [{}, {}], chatTemplate: "rag" }, tokenizer), "R2");
    assert.deepEqual([...tokenizer.chatTemplates.keys()], ["tool_use", "rag", "default"]);
  });

  test("refuses unknown names, and text without a tag, and suggests the nearest name", () => {
    for (const [chatTemplate, message] of [
      ["chatlm", /"chatlm" .* did you mean "?chatml/],
      ["tool_uses", /did you mean "?tool_use/],
      ["", /there are tool_use, rag/],
      ["template.jinja", /there are/],
    ] as const) {
      assert.throws(() => rendered(user, { chatTemplate }, tokenizer), { code: "option/invalid", message });
    }
    const without = fakeTokenizer({ keys });
    assert.throws(
      () =>
        chooseChatTemplate(
          undefined,
          { ...without, chatTemplates: without.chatTemplates, tokenId: () => undefined } as typeof without,
          CONFIG,
        ),
      { code: "template/missing", message: /tool_use, rag/ },
    );
  });

  test("special tokens have the names that transformers gives them", () => {
    const special = fakeTokenizer({
      addBos: false,
      keys: { "tokenizer.ggml.padding_token_id": 260, "tokenizer.ggml.unknown_token_id": 261 },
    });
    const { ids, parts } = renderChat(
      user,
      { chatTemplate: "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ unk_token }}{{ sep_token is defined }}" },
      special,
      CONFIG,
      ROOM,
    );
    assert.equal(parts.map(({ text }) => text).join(""), "<s></s><|eot_id|><|end_of_text|>False");
    assert.deepEqual(ids.slice(0, 4), [BOS, 257, 260, 261]);
    assert.equal(
      rendered(user, { chatTemplate: "{{ pad_token }}", templateVariables: { pad_token: "mine" } }, special),
      "mine",
    );
  });
});

describe("messages as clients send them", () => {
  const parts = [
    { type: "text", text: "one" },
    { type: "text", text: "two" },
  ] as const;

  test("parts reach templates that read them, and are joined for those that take a text", () => {
    const content: ChatMessage[] = [
      { role: "user", content: parts },
      { role: "assistant", content: "a" },
    ];
    const cases: readonly (readonly [chatTemplate: string, text: string])[] = [
      ["{% for m in messages %}[{{ m.content }}]{% endfor %}", "[one\ntwo][a]"],
      ["{% for m in messages %}[{{ m.content|trim }}]{% endfor %}", "[one\ntwo][a]"],
      ["{% for m in messages %}{{ '[' + m.content + ']' }}{% endfor %}", "[one\ntwo][a]"],
      ["{% for m in messages %}[{% if m.content is string %}{{ m.content }}{% endif %}]{% endfor %}", "[one\ntwo][a]"],
      [
        "{% for m in messages %}{% if m.content is string %}[{{ m.content }}]{% else %}{% for p in m.content " +
          "%}<{{ p.text }}>{% endfor %}{% endif %}{% endfor %}",
        "<one><two>[a]",
      ],
      [
        "{% for m in messages %}{% if m.content is string %}[{{ m.content }}]{% else %}{{ " +
          "m.content|map(attribute='text')|join('+') }}{% endif %}{% endfor %}",
        "one+two[a]",
      ],
    ];
    for (const [chatTemplate, text] of cases) assert.equal(rendered(content, { chatTemplate }), text, chatTemplate);
    assert.equal(
      rendered(content, { chatTemplate: "chatml", addGenerationPrompt: false }),
      "<|im_start|>user\none\ntwo<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n",
    );
    assert.throws(() => rendered(content, { chatTemplate: "{{ raise_exception('never') }}" }), {
      code: "template/raised",
      message: /never/,
    });
  });

  test("null beside tool calls, and fields of every name, pass through", () => {
    const messages: ChatMessage[] = [
      { role: "assistant", content: null, tool_calls: [{ id: "c1", function: { name: "f", arguments: '{"a":1}' } }] },
      { role: "tool", tool_call_id: "c1", name: "f", content: "2" },
    ];
    const chatTemplate =
      "{{ messages[0].content is none }} {{ messages[0].tool_calls[0].function.arguments }} {{ " +
      "messages[1].tool_call_id }} {{ messages[1].name }}";
    assert.equal(rendered(messages, { chatTemplate }), 'True {"a":1} c1 f');
    for (const chatTemplate of ["bitnet", "chatml", "falcon3", "llama3"])
      assert.doesNotMatch(rendered(messages, { chatTemplate }), /None/);
  });

  test("refuses parts that are not text, by name", () => {
    const image = [
      {
        role: "user",
        content: [
          { type: "text", text: "x" },
          { type: "image_url", image_url: { url: "data:" } },
        ],
      },
    ] as unknown as ChatMessage[];
    assert.throws(() => rendered(image, { chatTemplate: "chatml" }), {
      code: "option/invalid",
      message: /messages\[0\]\.content\[1\].*"image_url".*text only/,
    });
    for (const content of [3, {}, ["x"], [{ type: "text" }], [null]])
      assert.throws(() => rendered([{ role: "user", content } as unknown as ChatMessage], { chatTemplate: "chatml" }), {
        code: "option/invalid",
        message: /content/,
      });
  });

  test("known roles make special tokens with the text around them, other roles do not", () => {
    const special = (role: string): number =>
      renderChat(
        [{ role, content: "" }],
        { chatTemplate: "{{ '<|' + messages[0].role + '|>' }}" },
        fakeTokenizer({ addBos: false }),
        CONFIG,
        ROOM,
      ).ids.length;
    assert.ok(special("im_end") > 1);
    const text = renderChat(
      [{ role: "user", content: "x" }],
      { chatTemplate: "falcon3" },
      fakeTokenizer({ addBos: false }),
      CONFIG,
      ROOM,
    ).parts;
    assert.deepEqual(text[0], { text: "<|user|>\n", special: true });
  });

  test("options that are variables of the template are refused as variables", () => {
    for (const name of ["messages", "tools", "add_generation_prompt"])
      assert.throws(() => rendered(MESSAGES, { chatTemplate: "chatml", templateVariables: { [name]: [] } }), {
        code: "option/invalid",
        message: new RegExp(name),
      });
  });
});

describe("continueFinalMessage", () => {
  const last = (content: ChatMessage["content"]): ChatMessage[] => [
    { role: "user", content: "Count." },
    { role: "assistant", content },
  ];

  test("ends within the last message, as transformers cuts it", () => {
    assert.equal(
      rendered(last("1, 2, "), { chatTemplate: "chatml", continueFinalMessage: true }),
      "<|im_start|>user\nCount.<|im_end|>\n<|im_start|>assistant\n1, 2, ",
    );
    // A template that trims leaves no space to go on after.
    assert.equal(
      rendered(last("1, 2, "), { chatTemplate: "llama3", continueFinalMessage: true }),
      "<s><|start_header_id|>user<|end_header_id|>\n\nCount.<|eot_id|>" +
        "<|start_header_id|>assistant<|end_header_id|>\n\n1, 2,",
    );
    assert.equal(
      rendered(last([{ type: "text", text: "1," }]), { chatTemplate: "chatml", continueFinalMessage: true }).endsWith(
        "assistant\n1,",
      ),
      true,
    );
    assert.equal(
      rendered(last("1"), {
        chatTemplate: "{{ add_generation_prompt }}{{ messages[1].content }}",
        continueFinalMessage: true,
      }),
      "False1",
    );
  });

  test("refuses a last message without text, and addGenerationPrompt beside it", () => {
    for (const content of [null, undefined, []])
      assert.throws(() => rendered(last(content), { chatTemplate: "chatml", continueFinalMessage: true }), {
        code: "option/invalid",
        message: /no text to continue/,
      });
    assert.throws(
      () => rendered(last("1"), { chatTemplate: "{{ messages[0].content }}", continueFinalMessage: true }),
      { code: "option/invalid", message: /does not print/ },
    );
    assert.throws(
      () => rendered(last("1"), { chatTemplate: "chatml", continueFinalMessage: true, addGenerationPrompt: true }),
      { code: "option/invalid", message: /give only one/ },
    );
  });
});

describe("chat", () => {
  test("puts BOS before the prompt once, whether the template prints it or not", () => {
    const user = [{ role: "user", content: "x" }];
    assert.deepEqual(renderChat(user, { chatTemplate: "{{ bos_token }}x" }, fakeTokenizer(), CONFIG, ROOM).ids, [
      BOS,
      120,
    ]);
    assert.deepEqual(renderChat(user, { chatTemplate: "x{{ '' }}" }, fakeTokenizer(), CONFIG, ROOM).ids, [BOS, 120]);
    assert.deepEqual(
      renderChat(user, { chatTemplate: "x{{ '' }}" }, fakeTokenizer({ addBos: false }), CONFIG, ROOM).ids,
      [120],
    );
  });

  test("gives templates messages, tools, variables and a clock", () => {
    const chatTemplate =
      "{{ tools[0].name }} {{ enable_thinking }} {{ strftime_now('%d %b %Y %H:%M') }} {{ documents }} {{ " +
      "messages[0].extra }} {{ messages[0].none is defined }} {{ messages[0].content is none }}";
    const message = { role: "user", content: null, extra: [1, 2.5], none: undefined };
    const options = {
      chatTemplate,
      tools: [{ name: "t" }],
      templateVariables: { enable_thinking: false },
      now: new Date(2024, 0, 5, 9, 7),
    };
    assert.equal(rendered([message], options), "t False 05 Jan 2024 09:07 None [1, 2.5] False True");
  });

  test("stops at a control token named in stop, although it prints as nothing", async () => {
    const say = (options: ChatOptions): Promise<{ text: string; stopReason: string; ids: readonly number[] }> => {
      const engine = scriptedEngine(1, [65, 261, 66, 260, 67], { contextLength: 50 });
      return new Model({ engine, tokenizer: fakeTokenizer({ addBos: false }), loadMs: 0 })
        .chat([{ role: "user", content: "" }], {
          chatTemplate: "x{{ '' }}",
          temperature: 0,
          maxTokens: 5,
          ignoreEnd: true,
          ...options,
        })
        .result();
    };
    const { text, stopReason, ids } = await say({ stop: "<|end_of_text|>" });
    assert.deepEqual([text, stopReason, ids.length], ["A", "stop-string", 2]);
    assert.equal((await say({ stop: "B<|eot_id|>" })).text, "A");
    assert.equal((await say({ stop: "AB" })).text, "", "control tokens between do not hide a stop string of text");
    assert.equal((await say({})).text, "ABC");
  });

  test("answers, and a second turn reads only what is new", async () => {
    const promptLength = renderChat(MESSAGES.slice(1, 2), { chatTemplate: "bitnet" }, fakeTokenizer(), CONFIG, ROOM).ids
      .length;
    const engine = scriptedEngine(promptLength, [...bytesOf("Yo"), 260], { contextLength: 200 });
    const model = new Model({ engine, tokenizer: fakeTokenizer({ chatTemplate: CHAT_TEMPLATES.bitnet }), loadMs: 0 });
    const messages: ChatMessage[] = MESSAGES.slice(1, 2);
    const reply = await model.chat(messages, { temperature: 0 }).result();
    assert.deepEqual([reply.text, reply.stopReason], ["Yo", "stop"]);
    messages.push({ role: "assistant", content: reply.text }, { role: "user", content: "Bye" });
    const second = await model.chat(messages, { temperature: 0, maxTokens: 1 }).result();
    assert.equal(second.timings.cachedTokens, promptLength + 2);
  });

  test("errors of messages and templates are typed and come when the generation starts", async () => {
    const model = new Model({ engine: fakeEngine(() => {}), tokenizer: fakeTokenizer(), loadMs: 0 });
    const chat = (messages: unknown, chatTemplate = "{# x #}x{{ '' }}"): Promise<string> =>
      model.chat(messages as ChatMessage[], { chatTemplate }).text();
    for (const messages of [[], "x", [null], [{}], [{ role: 3 }]])
      await assert.rejects(chat(messages), { code: "option/invalid" });
    const circular: ChatMessage = { role: "user" };
    circular.self = circular;
    for (const message of [{ role: "user", f: () => {} }, circular])
      await assert.rejects(chat([message]), { code: "option/invalid" });
    const user = [{ role: "user", content: "x" }];
    await assert.rejects(chat(user, "{{ raise_exception('only two roles') }}"), {
      code: "template/raised",
      message: /only two roles/,
    });
    await assert.rejects(chat(user, "{% if %}"), { code: "template/syntax", message: /line 1/ });
    await assert.rejects(chat(user, "a\nb\n{{ 'x }}"), { code: "template/syntax", message: /line 3/ });
    await assert.rejects(chat(user, "{% for i in range(2000000000) %}{% endfor %}"), { code: "template/limit" });
    await assert.rejects(chat(user, "{{ missing.name }}"), {
      code: "template/raised",
      message: /"missing" is undefined/,
    });
  });
});
