/** Masks under schemas, against the automaton stepped through every token's bytes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Expressions } from "../../../src/grammar/expression.ts";
import { schemaExpression } from "../../../src/grammar/schema/schema-expression.ts";
import { States } from "../../../src/grammar/states.ts";
import { TokenMasks } from "../../../src/grammar/token-masks.ts";
import { TokenTrie } from "../../../src/grammar/token-trie.ts";
import { seededRandom } from "../../synthetic/random.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** All bytes, and pieces of JSON of two to seven characters, as vocabularies have them. */
const TOKENS: readonly Uint8Array[] = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...['":"', '":', '","', '",', '"}', '{"', '": "', '", "', '":[', "],", '"]', '":{', "}}", '"},', "\n  ", ': "'].map(
    bytesOf,
  ),
  ...["id", "na", "name", "tion", "user", " the", "é", "ids", "x-", "123", "1.", "e+", "-1", "true", "null", "als"].map(
    bytesOf,
  ),
  ...['id"', '"id', 'e":', 'x"', "d\\n", "\\u00", 'cation":"', 'a":1', '1,"', "0}", '\\"'].map(bytesOf),
];
const TRIE = new TokenTrie({ vocabSize: TOKENS.length, bytesOf: (id) => TOKENS[id] });

const name = { type: "string" },
  id = { type: "string", minLength: 1, maxLength: 12 };
const SCHEMAS: Readonly<Record<string, unknown>> = {
  "free members beside named ones": { type: "object", properties: { identification: name } },
  "members by pattern": { type: "object", patternProperties: { "^x-": id }, additionalProperties: { type: "integer" } },
  "names with a length": { type: "object", propertyNames: { maxLength: 5 }, properties: { ids: name } },
  "names by pattern": { type: "object", propertyNames: { pattern: "^[a-z]*$" } },
  "lengths and patterns": { type: "array", items: { type: "string", pattern: "^[a-z]*(x|1)?$", maxLength: 9 } },
  "numbers in bounds": { type: "array", items: { type: "number", minimum: -1.5, exclusiveMaximum: 120 } },
  alternatives: { anyOf: [id, { type: "object", properties: { id, name }, required: ["id"] }, { const: null }] },
  recursion: {
    $defs: { t: { type: "object", properties: { ids: { type: "array", items: { $ref: "#/$defs/t" } } } } },
    $ref: "#/$defs/t",
  },
  anything: true,
};

describe("a mask is what its tokens' bytes allow, under a schema", () => {
  for (const [what, schema] of Object.entries(SCHEMAS)) {
    test(what, () => {
      const expressions = new Expressions(),
        states = new States(expressions, schemaExpression(expressions, schema)),
        masks = new TokenMasks(states, TRIE),
        random = seededRandom(what.length);
      let nCompared = 0;
      for (let text = 0; text < 25; text++) {
        let state = states.start,
          spelt = "";
        for (let step = 0; step < 40; step++) {
          const { bits } = masks.mask(state),
            allowed: number[] = [];
          for (const [token, bytes] of TOKENS.entries()) {
            const isAllowed = states.stepBytes(state, bytes) !== states.dead,
              isSet = ((bits[token >>> 5]! >>> (token & 31)) & 1) === 1;
            assert.equal(isSet, isAllowed, `${JSON.stringify(spelt)}, then ${new TextDecoder().decode(bytes)}`);
            if (isAllowed) allowed.push(token);
            nCompared++;
          }
          if (allowed.length === 0) break;
          // Long tokens more often: they cross from one part into the next.
          const long = allowed.filter((token) => token >= 256),
            among = long.length > 0 && random.u32() % 3 > 0 ? long : allowed,
            next = TOKENS[among[random.u32() % among.length]!]!;
          spelt += new TextDecoder().decode(next);
          state = states.stepBytes(state, next);
        }
      }
      assert.ok(nCompared > 5000, `${nCompared} compared`);
    });
  }
});
