/** What a misspelt name was meant to be, and when nothing is close enough to say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean, nearestName } from "../../src/core/nearest-name.ts";

const KNOWN = ["maxTokens", "temperature", "contextLength", "topK", "topP", "minP", "seed", "stop", "stopIds"];

const MEANT: readonly (readonly [string, string | undefined])[] = [
  ["max_tokens", "maxTokens"],
  ["maxtokens", "maxTokens"],
  ["temprature", "temperature"],
  ["tempearture", "temperature"],
  ["context", "contextLength"],
  ["top_k", "topK"],
  ["sede", "seed"],
  ["stop_ids", "stopIds"],
  ["stopids", "stopIds"],
  ["banana", undefined],
  ["x", undefined],
  ["", undefined],
  ["t".repeat(100_000), undefined],
];

test("the nearest known name", () => {
  for (const [name, meant] of MEANT) assert.equal(nearestName(name, KNOWN), meant, name.slice(0, 20));
});

test("a sentence, or nothing", () => {
  assert.equal(didYouMean("temprature", KNOWN), ": did you mean temperature?");
  assert.equal(didYouMean("banana", KNOWN), "");
});
