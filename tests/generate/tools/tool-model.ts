/**
 * A model of random logits over bytes, whose vocabulary has the markers of all families as tokens: some as special
 * ones, which have no text, some as added ones, which have, and all spelt in bytes too.
 */
import { renderChat } from "../../../src/generate/chat.ts";
import { Model } from "../../../src/model.ts";
import { makeByteAlphabet } from "../../../src/tokenizer/byte-alphabet.ts";
import { type Tokenizer, tokenizerFromGguf } from "../../../src/tokenizer/tokenizer.ts";
import { seededRandom } from "../../synthetic/random.ts";
import { fakeEngine } from "../fakes.ts";

const CONTROL = 3;
const USER_DEFINED = 4;

const MARKERS: Readonly<Record<string, number>> = {
  "<|im_start|>": CONTROL,
  "<|im_end|>": CONTROL,
  "</s>": CONTROL,
  "<think>": USER_DEFINED,
  "</think>": USER_DEFINED,
  "<tool_call>": USER_DEFINED,
  "</tool_call>": USER_DEFINED,
  "[TOOL_CALLS]": CONTROL,
  "[ARGS]": CONTROL,
  "[CALL_ID]": CONTROL,
  "[THINK]": CONTROL,
  "[/THINK]": CONTROL,
  "<|python_tag|>": CONTROL,
  "<｜tool▁calls▁begin｜>": CONTROL,
  "<｜tool▁call▁begin｜>": CONTROL,
  "<｜tool▁sep｜>": USER_DEFINED,
  "<｜tool▁call▁end｜>": CONTROL,
};

/** Bytes, the markers, and words that cross what parsers look at. */
const WORDS = ['{"', '": ', '"}', "}\n", "</", "call>\n", '",', "ab", "12", " é", "\n\n", "think>", "{}", "]\n", '">'];

const END = 256 + Object.keys(MARKERS).indexOf("<|im_end|>");

export function toolTokenizer(chatTemplate: string): Tokenizer {
  const { unitOfByte } = makeByteAlphabet();
  const spelt = (text: string): string =>
    Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(unitOfByte[byte])).join("");
  const tokens = [
    ...Array.from(unitOfByte, (unit) => String.fromCharCode(unit)),
    ...Object.keys(MARKERS),
    ...WORDS.map(spelt),
  ];
  const types = [...new Array<number>(256).fill(1), ...Object.values(MARKERS), ...WORDS.map(() => 1)];
  return tokenizerFromGguf(
    new Map<string, string | number | boolean | string[] | Int32Array>([
      ["tokenizer.ggml.model", "gpt2"],
      ["tokenizer.ggml.pre", "gpt-2"],
      ["tokenizer.ggml.tokens", tokens],
      ["tokenizer.ggml.token_type", Int32Array.from(types)],
      ["tokenizer.ggml.merges", []],
      ["tokenizer.ggml.bos_token_id", 258],
      ["tokenizer.ggml.eos_token_id", END],
      ["tokenizer.ggml.add_bos_token", false],
      ["tokenizer.chat_template", chatTemplate],
    ]),
  );
}

export interface ToolModelOptions {
  readonly chatTemplate: string;
  readonly contextLength?: number;
  /** Likelier tokens, by their names or bytes. */
  readonly likely?: Readonly<Record<string, number>>;
}

/** Logits that follow from the ids so far. */
export function toolModel({ chatTemplate, contextLength = 4000, likely = {} }: ToolModelOptions): Model {
  const tokenizer = toolTokenizer(chatTemplate);
  const more = Object.entries(likely).map(([text, logit]) => [tokenizer.tokenId(text) ?? text.charCodeAt(0), logit]);
  const engine = fakeEngine(
    (ids, logits) => {
      const random = seededRandom(ids.reduce((sum, id) => (sum * 31 + id) | 0, ids.length));
      for (let id = 0; id < logits.length; id++) logits[id] = random.normal() * 3;
      for (const [id, logit] of more) logits[id] += logit;
    },
    { contextLength, nPages: 400, vocabSize: tokenizer.vocabSize },
  );
  return new Model({ engine, tokenizer, loadMs: 0, renderChat });
}

/** The smallest template of a family: it prints messages, tools, and the texts that show the family. */
export function templateShowing(...texts: readonly string[]): string {
  return (
    `{#- ${texts.join(" ")} -#}{{ tools|tojson if tools }}{% for m in messages %}<|im_start|>{{ m.role }}\n` +
    "{{ m.content }}{{ m.tool_calls|tojson if m.tool_calls }}<|im_end|>\n{% endfor %}" +
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
  );
}
