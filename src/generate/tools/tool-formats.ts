/**
 * How families of models write calls of tools: one row each.
 *
 * Sources: the chat templates of the models named, which print earlier calls as the model writes them.
 *
 * @module
 */
import { ARGUMENTS, type CallFormat, ID, NAME, PARAMETERS } from "../../grammar/call-format.ts";

/** A family: its calls, and how its templates are told from others. */
interface ToolFamily extends CallFormat {
  /** Texts that its templates hold, all of them. */
  readonly shows: readonly (string | RegExp)[];
  /** And texts that they do not. */
  readonly lacks?: readonly string[];
}

const jsonCall = (before: string, after: string, key = "arguments"): CallFormat["call"] => [
  `${before}{"name": "`,
  NAME,
  `", "${key}": `,
  ARGUMENTS,
  `}${after}`,
];

/** What all of DeepSeek's models write around calls. */
const DEEPSEEK = {
  trigger: "<｜tool▁calls▁begin｜>",
  begin: "<｜tool▁calls▁begin｜>",
  end: "<｜tool▁calls▁end｜>",
  markers: [
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁calls▁end｜>",
  ],
} as const;

/** The first that fits a template is taken. */
export const TOOL_FORMATS = {
  /** Qwen3-Coder, Qwen3.5 (Bonsai 2), Nemotron 3, Step 3.5. */
  "qwen3-coder": {
    shows: ["<tool_call>", "<function=", "<parameter="],
    trigger: "<tool_call>",
    begin: "",
    call: ["<tool_call>\n<function=", NAME, ">\n", PARAMETERS, "</function>\n</tool_call>"],
    between: "\n",
    end: "",
    parameters: { open: "<parameter=", nameEnd: ">\n", close: "\n</parameter>\n" },
    markers: ["<tool_call>", "</tool_call>"],
  },
  /** MiniCPM5. */
  minicpm5: {
    shows: ['<function name="', '<param name="'],
    trigger: '<function name="',
    begin: "",
    call: ['<function name="', NAME, '">', PARAMETERS, "</function>"],
    between: "\n",
    end: "",
    parameters: {
      open: '<param name="',
      nameEnd: '">',
      close: "</param>",
      quote: { begin: "<![CDATA[", end: "]]>", escapes: ["<", "&", "\n"] },
    },
    markers: [],
  },
  /** Mistral Small 3.2. */
  "mistral-small": {
    shows: ["[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"],
    trigger: "[TOOL_CALLS]",
    begin: "",
    call: ["[TOOL_CALLS]", NAME, "[CALL_ID]", ID, "[ARGS]", ARGUMENTS],
    between: "",
    end: "",
    markers: ["[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"],
  },
  /** Devstral, Ministral 3. */
  mistral: {
    shows: ["[TOOL_CALLS]", "[ARGS]"],
    trigger: "[TOOL_CALLS]",
    begin: "",
    call: ["[TOOL_CALLS]", NAME, "[ARGS]", ARGUMENTS],
    between: "",
    end: "",
    markers: ["[TOOL_CALLS]", "[ARGS]"],
  },
  /** Mistral 7B v0.3 and Nemo. */
  "mistral-nemo": {
    shows: ["[TOOL_CALLS]"],
    trigger: "[TOOL_CALLS]",
    begin: "[TOOL_CALLS][",
    call: ['{"name": "', NAME, '", "arguments": ', ARGUMENTS, { optional: [', "id": "', ID, '"'] }, "}"],
    between: ", ",
    end: "]",
    markers: ["[TOOL_CALLS]"],
  },
  /** DeepSeek R1 and its distilled models. */
  "deepseek-r1": {
    shows: ["<｜tool▁call▁begin｜>", "```json"],
    ...DEEPSEEK,
    call: ["<｜tool▁call▁begin｜>function<｜tool▁sep｜>", NAME, "\n```json\n", ARGUMENTS, "\n```<｜tool▁call▁end｜>"],
    between: "\n",
  },
  /** DeepSeek V3.1. */
  deepseek: {
    shows: ["<｜tool▁call▁begin｜>", "<｜tool▁sep｜>"],
    ...DEEPSEEK,
    call: ["<｜tool▁call▁begin｜>", NAME, "<｜tool▁sep｜>", ARGUMENTS, "<｜tool▁call▁end｜>"],
    between: "",
  },
  /** Falcon 3: a list between the tags. */
  falcon3: {
    shows: [/<tool_call>(?:\\n|\n)\[/],
    trigger: "<tool_call>",
    begin: "<tool_call>\n[\n  ",
    call: jsonCall("", ""),
    between: ",\n  ",
    end: "\n]\n</tool_call>",
    markers: ["<tool_call>", "</tool_call>"],
  },
  /** Hermes 2 and 3, Qwen2.5, Qwen3 (Bonsai), MiMo, Granite 4. */
  hermes: {
    shows: ["<tool_call>", "</tool_call>"],
    lacks: ["<arg_key>", "<function=", "<tool_calls>"],
    trigger: "<tool_call>",
    begin: "",
    call: jsonCall("<tool_call>\n", "\n</tool_call>"),
    between: "\n",
    end: "",
    markers: ["<tool_call>", "</tool_call>"],
  },
  /** Llama 3.1 to 3.3: a JSON object is the whole reply. */
  llama3: {
    shows: ["<|start_header_id|>", '"parameters": '],
    lacks: ["<function="],
    beginnings: ['{"name', "<|python_tag|>"],
    begin: "",
    call: [{ optional: ["<|python_tag|>"] }, ...jsonCall("", "", "parameters")],
    between: "",
    end: "",
    isSingle: true,
    markers: ["<|python_tag|>"],
  },
  /** For templates that know no tools: a system message tells of them. */
  json: {
    shows: [],
    lacks: ["tools"],
    beginnings: ['{"name'],
    begin: "",
    call: jsonCall("", ""),
    between: "",
    end: "",
    isSingle: true,
    markers: [],
  },
} as const satisfies Readonly<Record<string, ToolFamily>>;

/** The name of a family's way to write calls. */
export type ToolFormatName = keyof typeof TOOL_FORMATS;

/** In which a template's model writes calls; undefined for a template of another family. */
export function toolFormatOf(template: string): ToolFormatName | undefined {
  const rows: readonly [string, ToolFamily][] = Object.entries(TOOL_FORMATS);
  const found = rows.find(
    ([, { shows, lacks = [] }]) =>
      shows.every((text) => (typeof text === "string" ? template.includes(text) : text.test(template))) &&
      !lacks.some((text) => template.includes(text)),
  );
  return found?.[0] as ToolFormatName | undefined;
}
