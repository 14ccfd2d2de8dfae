/** Real vocabularies and the ids that their own implementations give; needs ../shared/data. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { bytesSource } from "../../src/core/byte-source.ts";
import { readGguf } from "../../src/files/gguf.ts";
import { type Tokenizer, tokenizerFromGguf } from "../../src/tokenizer/tokenizer.ts";

const FOLDER = "../shared/data/tokenizers";
const skip = existsSync(FOLDER) ? false : "no ../shared/data";
const NAMES = ["llama-bpe", "gpt-2", "llama-spm"];

async function readTokenizer(name: string): Promise<Tokenizer> {
  const { metadata } = await readGguf(bytesSource(new Uint8Array(readFileSync(`${FOLDER}/${name}.gguf`)), name));
  return tokenizerFromGguf(metadata);
}

/** Texts hold carriage returns and lone newlines; the bytes are taken as they are. */
function readTexts(): string[] {
  return readFileSync(`${FOLDER}/texts.inp`, "utf8").split("\n__ggml_vocab_test__\n");
}

describe("published vocabularies", { skip }, () => {
  for (const name of NAMES) {
    test(`${name}: all 47 texts`, async () => {
      const tokenizer = await readTokenizer(name);
      const expected = readFileSync(`${FOLDER}/${name}.out`, "utf8").split("\n");
      const texts = readTexts();
      assert.equal(texts.length, 47);
      for (const [i, text] of texts.entries()) {
        const ids = tokenizer.encode(text, { addSpecial: false });
        assert.equal(ids.join(" "), expected[i].trim(), JSON.stringify(text));
        assert.equal(tokenizer.decode(ids), text);
      }
    });

    test(`${name}: wikitext comes back`, async () => {
      const tokenizer = await readTokenizer(name);
      const text = readFileSync("../shared/data/text/wikitext-2.test.txt", "utf8");
      assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
    });
  }
});
