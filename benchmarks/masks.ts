/**
 * Constrained decoding on schemas and values of MaskBench (guidance-ai/jsonschemabench): how many pass, and what their
 * masks take. A schema passes when it compiles, all valid values are accepted and all invalid ones refused, token by
 * token, as a model would write them: JSON.stringify's text of the value, in its own order of members.
 *
 *   node benchmarks/run.mjs masks SCHEMAS.jsonl[.gz] --tokenizer FILE.gguf [--limit N] [--name TEXT] [--failures]
 *       [--memory]
 *
 * A line of SCHEMAS is `{name, schema, tests: [{valid, data}]}`. Times are wall-clock times of this process alone, so
 * leave the machine idle. `--failures` lists what did not pass; `--memory` measures what a schema holds instead of
 * times; `--json` writes the figures of each schema.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { bytesSource } from "../src/core/byte-source.ts";
import { readGguf } from "../src/files/gguf.ts";
import { TokenTrie } from "../src/grammar/token-trie.ts";
import { tokenizerFromGguf } from "../src/tokenizer/tokenizer.ts";
import { type MaskRun, measured, type SchemaCase } from "./masks/measure.ts";
import { reportText } from "./masks/report.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tokenizer: { type: "string" },
    limit: { type: "string" },
    name: { type: "string" },
    failures: { type: "boolean", default: false },
    memory: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const [path] = positionals;
if (path === undefined || values.tokenizer === undefined) {
  throw new Error("usage: masks SCHEMAS.jsonl[.gz] --tokenizer FILE.gguf");
}

const file = readFileSync(path);
const lines = (path.endsWith(".gz") ? gunzipSync(file) : file).toString().trim().split("\n");
const cases: SchemaCase[] = lines
  .map((line) => JSON.parse(line))
  .filter(({ name }) => values.name === undefined || name.includes(values.name))
  .slice(0, values.limit === undefined ? undefined : Number(values.limit));

const bytes = new Uint8Array(readFileSync(values.tokenizer));
const tokenizer = tokenizerFromGguf((await readGguf(bytesSource(bytes, values.tokenizer))).metadata);
const started = performance.now();
const trie = new TokenTrie({ vocabSize: tokenizer.vocabSize, bytesOf: (id) => tokenizer.tokenBytes(id) });
const trieMs = performance.now() - started;

const runs: MaskRun[] = cases.map((one) => measured(one, tokenizer, trie, values.memory));
if (values.json) process.stdout.write(`${JSON.stringify(runs)}\n`);
else
  process.stdout.write(
    reportText(runs, { trieMs, trieBytes: trie.byteLength, failures: values.failures, memory: values.memory }),
  );
