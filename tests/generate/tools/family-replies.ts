/**
 * What models of each family write, as their published templates print earlier calls: text, then calls, and what must
 * come of it.
 */
import type { ToolFormatName } from "../../../src/generate/tools/tool-formats.ts";

export interface FamilyReply {
  readonly what: string;
  readonly reply: string;
  readonly text: string;
  readonly calls: readonly (readonly [name: string, args: unknown])[];
}

const MESSY = {
  text: 'a "quoted" </tool_call> {[\\ é 😀 \n end',
  deep: { a: [{ b: {} }, [], "}"] },
  n: -1.5e3,
  no: null,
};
const MESSY_JSON = JSON.stringify(MESSY);

const json = (name: string, args: string, key = "arguments"): string => `{"name": "${name}", "${key}": ${args}}`;
const hermes = (name: string, args: string): string => `<tool_call>\n${json(name, args)}\n</tool_call>`;
const v31 = (name: string, args: string): string =>
  `<｜tool▁call▁begin｜>${name}<｜tool▁sep｜>${args}<｜tool▁call▁end｜>`;
const r1 = (name: string, args: string): string =>
  `<｜tool▁call▁begin｜>function<｜tool▁sep｜>${name}\n\`\`\`json\n${args}\n\`\`\`<｜tool▁call▁end｜>`;
const deepseek = (...calls: readonly string[]): string => `<｜tool▁calls▁begin｜>${calls.join("")}<｜tool▁calls▁end｜>`;
const xml = (name: string, ...args: readonly (readonly [string, string])[]): string =>
  `<tool_call>\n<function=${name}>\n` +
  args.map(([key, value]) => `<parameter=${key}>\n${value}\n</parameter>\n`).join("") +
  "</function>\n</tool_call>";
const minicpm = (name: string, ...args: readonly (readonly [string, string])[]): string =>
  `<function name="${name}">${args.map(([key, value]) => `<param name="${key}">${value}</param>`).join("")}</function>`;

/** `add` takes numbers, `say` strings `text` and `to`, `mix` anything. */
export const FAMILY_REPLIES: Readonly<Record<ToolFormatName, readonly FamilyReply[]>> = {
  hermes: [
    { what: "one call", reply: hermes("add", '{"a": 1}'), text: "", calls: [["add", { a: 1 }]] },
    {
      what: "text, two calls, text",
      reply: `Let me see.\n${hermes("mix", MESSY_JSON)}\n${hermes("add", "{}")}\nDone.`,
      text: "Let me see.\nDone.",
      calls: [
        ["mix", MESSY],
        ["add", {}],
      ],
    },
    {
      what: "other white space",
      reply: '<tool_call>{ "name":"add" , "arguments" :{ "a" : 1 } }\r\n</tool_call>',
      text: "",
      calls: [["add", { a: 1 }]],
    },
  ],
  falcon3: [
    {
      what: "a list",
      reply: `Both.\n<tool_call>\n[\n  ${json("add", '{"a": 1}')},\n  ${json("mix", MESSY_JSON)}\n]\n</tool_call>`,
      text: "Both.",
      calls: [
        ["add", { a: 1 }],
        ["mix", MESSY],
      ],
    },
  ],
  "qwen3-coder": [
    {
      what: "arguments one by one",
      reply: [
        "I will.\n",
        xml("say", ["text", ' two\nlines </function> \\ "é😀\n'], ["to", "5"]),
        xml("add", ["a", "1"], ["b", "[1, {}]"]),
      ].join("\n"),
      text: "I will.",
      calls: [
        ["say", { text: ' two\nlines </function> \\ "é😀\n', to: "5" }],
        ["add", { a: 1, b: [1, {}] }],
      ],
    },
    {
      what: "none, and what is no JSON",
      reply: `${xml("add")}${xml("mix", ["x", "plain"], ["y", "null"], ["z", '["</parameter>"]'])}`,
      text: "",
      calls: [
        ["add", {}],
        ["mix", { x: "plain", y: null, z: ["</parameter>"] }],
      ],
    },
  ],
  minicpm5: [
    {
      what: "CDATA, and several",
      reply: [
        "So.",
        minicpm("say", ["text", "<![CDATA[a < b\n</param> & ]]]>"], ["to", "me"]),
        minicpm("add", ["a", "2.5"]),
      ].join("\n"),
      text: "So.",
      calls: [
        ["say", { text: "a < b\n</param> & ]", to: "me" }],
        ["add", { a: 2.5 }],
      ],
    },
  ],
  "mistral-small": [
    {
      what: "with ids",
      reply: `Hm.[TOOL_CALLS]add[CALL_ID]123456789[ARGS]{"a": 1}[TOOL_CALLS]mix[CALL_ID]abcdefghi[ARGS]${MESSY_JSON}`,
      text: "Hm.",
      calls: [
        ["add", { a: 1 }],
        ["mix", MESSY],
      ],
    },
  ],
  mistral: [
    {
      what: "two",
      reply: `[TOOL_CALLS]add[ARGS]{"a": 1}[TOOL_CALLS]mix[ARGS]${MESSY_JSON}`,
      text: "",
      calls: [
        ["add", { a: 1 }],
        ["mix", MESSY],
      ],
    },
  ],
  "mistral-nemo": [
    {
      what: "a list, one with an id",
      reply: `[TOOL_CALLS][{"name": "add", "arguments": {"a": 1}, "id": "123456789"}, ${json("mix", MESSY_JSON)}]`,
      text: "",
      calls: [
        ["add", { a: 1 }],
        ["mix", MESSY],
      ],
    },
  ],
  deepseek: [
    {
      what: "two",
      reply: `OK.${deepseek(v31("add", '{"a": 1}'), v31("mix", MESSY_JSON))} Then`,
      text: "OK. Then",
      calls: [
        ["add", { a: 1 }],
        ["mix", MESSY],
      ],
    },
  ],
  "deepseek-r1": [
    {
      what: "two",
      reply: deepseek(r1("add", '{"a": 1}'), "\n", r1("mix", MESSY_JSON)),
      text: "",
      calls: [
        ["add", { a: 1 }],
        ["mix", MESSY],
      ],
    },
  ],
  llama3: [
    { what: "an object", reply: json("add", '{"a": 1}', "parameters"), text: "", calls: [["add", { a: 1 }]] },
    {
      what: "behind its tag",
      reply: `<|python_tag|>${json("mix", MESSY_JSON, "parameters")}`,
      text: "",
      calls: [["mix", MESSY]],
    },
    {
      what: "text",
      reply: 'The object {"name": "add"} is no call.',
      text: 'The object {"name": "add"} is no call.',
      calls: [],
    },
  ],
  json: [
    { what: "an object", reply: `\n${json("mix", MESSY_JSON)}`, text: "", calls: [["mix", MESSY]] },
    { what: "another object", reply: '{"answer": 5}', text: '{"answer": 5}', calls: [] },
  ],
};

/** What looks like a call and is none: what of it is text, in all that comes out. */
export const MALFORMED: readonly (readonly [format: ToolFormatName, reply: string])[] = [
  ["hermes", "<tool_call>\n"],
  ["hermes", "<tool_call>oops</tool_call> after"],
  ["hermes", '<tool_call>\n{"name": "unknown", "arguments": {}}\n</tool_call>'],
  ["hermes", '<tool_call>\n{"name": "add", "arguments": [1]}\n</tool_call>'],
  ["hermes", "a <tool_call <tool_calls> <tool_c"],
  ["hermes", '<tool_call>\n<tool_call>\n{"name": 5}'],
  ["falcon3", '<tool_call>\n{"name": "add", "arguments": {}}\n</tool_call>'],
  ["qwen3-coder", "<tool_call>\n<function=nothing>\n</function>\n</tool_call>"],
  ["qwen3-coder", '<tool_call>\n{"name": "add", "arguments": {}}\n</tool_call>'],
  ["minicpm5", '<function name="nothing"></function>'],
  ["mistral", "[TOOL_CALLS]add{}"],
  ["mistral-nemo", '[TOOL_CALLS]{"name": "add", "arguments": {}}'],
  ["deepseek", "<｜tool▁calls▁begin｜>add"],
  ["deepseek-r1", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n{}"],
  ["llama3", '{"name": "unknown", "parameters": {}}'],
  ["llama3", "<|python_tag|>print(1)"],
  ["json", '  {"name": 5}'],
];
