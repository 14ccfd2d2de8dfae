/** Commands, models and texts told apart, without looking at a disk. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isModelArgument, kindOfFirstArgument, nearestName } from "../../src/cli/argument-kind.ts";

const nothing = (): boolean => false;
const everything = (): boolean => true;

describe("an argument is a model", () => {
  const models = [
    "model.gguf", "my models/it.gguf", "MODEL.GGUF", "x.safetensors", "hf:owner/repo", "hf:owner", "HF:owner/repo@main", "https://example.org/m", "file:///m",
    "./m", "/m", "models/m", "..", "C:\\models\\m", "models/",
  ];
  for (const name of models) test(name, () => assert.equal(isModelArgument(name, (path) => path === ".."), true));
  test("when there is such a file or folder", () => {
    assert.equal(isModelArgument("bonsai", everything), true);
    assert.equal(isModelArgument("bonsai", nothing), false);
  });
});

describe("an argument is a text", () => {
  const texts = ["ROMEO:", "To be, or not to be", "and/or what you will", "hf: a text", "https: no address", "Hello", "run away", "ROMEO:\nO/", "a\tb/c", "é", ""];
  for (const text of texts) test(JSON.stringify(text), () => assert.equal(kindOfFirstArgument(text, nothing), "text"));
});

test("one word of small letters is a command, right or wrong; what begins with a dash is an option", () => {
  for (const word of ["rnu", "serve", "to-be", "b2b"]) assert.equal(kindOfFirstArgument(word, nothing), "command");
  for (const word of ["--seed", "-x", "-"]) assert.equal(kindOfFirstArgument(word, everything), "option");
});

describe("the nearest command", () => {
  const names = ["run", "chat", "logits", "tokenize", "inspect", "perplexity", "bench", "pull", "list", "remove"];
  const typos: Record<string, string> = { rnu: "run", urn: "run", runn: "run", ru: "run", cht: "chat", chta: "chat", lsit: "list", tokenise: "tokenize", perplxity: "perplexity", delete: "" };
  for (const [typo, name] of Object.entries(typos)) test(`${typo}: ${name || "none"}`, () => assert.equal(nearestName(typo, names), name || undefined));
  test("is none for a word of which too little is left", () => {
    for (const word of ["walk", "romeo", "x", ""]) assert.equal(nearestName(word, names), undefined);
  });
});
