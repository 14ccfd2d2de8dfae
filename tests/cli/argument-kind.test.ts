/** Commands, models and texts told apart, without looking at a disk. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isModelArgument, kindOfFirstArgument, modelSource } from "../../src/cli/argument-kind.ts";
import { nearestName } from "../../src/core/nearest-name.ts";

const nothing = (): boolean => false;
const everything = (): boolean => true;

describe("an argument is a model", () => {
  const models = [
    "model.gguf",
    "my models/it.gguf",
    "MODEL.GGUF",
    "x.safetensors",
    "hf:owner/repo",
    "hf:owner",
    "HF:owner/repo@main",
    "https://example.org/m",
    "file:///m",
    "./m",
    "/m",
    "models/m",
    "..",
    "C:\\models\\m",
    "models/",
  ];
  for (const name of models)
    test(name, () =>
      assert.equal(
        isModelArgument(name, (path) => path === ".."),
        true,
      ),
    );
  test("if such a file or folder exists", () => {
    assert.equal(isModelArgument("bonsai", everything), true);
    assert.equal(isModelArgument("bonsai", nothing), false);
  });
});

describe("an argument is a text", () => {
  const texts = [
    "ROMEO:",
    "To be, or not to be",
    "and/or what you will",
    "hf: a text",
    "https: no address",
    "Hello",
    "run away",
    "ROMEO:\nO/",
    "a\tb/c",
    "é",
    "",
  ];
  for (const text of texts) test(JSON.stringify(text), () => assert.equal(kindOfFirstArgument(text, nothing), "text"));
});

test("one lower-case word is a command, right or wrong; a leading dash makes an option", () => {
  for (const word of ["rnu", "serve", "to-be", "b2b"]) assert.equal(kindOfFirstArgument(word, nothing), "command");
  for (const word of ["--seed", "-x", "-"]) assert.equal(kindOfFirstArgument(word, everything), "option");
});

describe("the nearest command", () => {
  const names = ["run", "chat", "logits", "tokenize", "inspect", "perplexity", "bench", "pull", "list", "remove"];
  const typos: Record<string, string> = {
    rnu: "run",
    urn: "run",
    runn: "run",
    ru: "",
    cht: "chat",
    chta: "chat",
    lsit: "list",
    tokenise: "tokenize",
    perplxity: "perplexity",
    delete: "",
  };
  for (const [typo, name] of Object.entries(typos))
    test(`${typo}: ${name || "none"}`, () => assert.equal(nearestName(typo, names), name || undefined));
  test("suggests nothing for a word too different from all", () => {
    for (const word of ["walk", "romeo", "x", ""]) assert.equal(nearestName(word, names), undefined);
  });
});

describe("a model as other programs name it", () => {
  const nothing = (): boolean => false;
  const meant: readonly (readonly [string, string])[] = [
    ["hf.co/owner/repo", "hf:owner/repo"],
    ["https://hf.co/owner/repo", "hf:owner/repo"],
    ["huggingface.co/owner/repo", "hf:owner/repo"],
    ["https://huggingface.co/owner/repo", "hf:owner/repo"],
    ["hf:owner/repo", "hf:owner/repo"],
    ["hf:owner/repo/file.gguf@v1", "hf:owner/repo/file.gguf@v1"],
    ["hf.co/owner/repo/blob/main/file.gguf", "https://huggingface.co/owner/repo/blob/main/file.gguf"],
    ["models/one.gguf", "models/one.gguf"],
    ["../models", "../models"],
    ["https://example.com/a/b.gguf", "https://example.com/a/b.gguf"],
  ];
  for (const [given, source] of meant) test(given, () => assert.equal(modelSource(given, false, nothing), source));

  test("a bare repository is refused with its hf: name, and accepted by commands that only download", () => {
    assert.throws(() => modelSource("owner/repo", false, nothing), {
      code: "file/not-found",
      message: /no such file or folder; the repository on Hugging Face is hf:owner\/repo/,
    });
    assert.equal(modelSource("owner/repo", true, nothing), "hf:owner/repo");
    assert.equal(
      modelSource("owner/repo", false, () => true),
      "owner/repo",
    );
  });

  test("a tag is refused: name the file", () => {
    for (const given of [
      "hf.co/owner/repo:Q1_0",
      "https://huggingface.co/owner/repo:Q1_0",
      "hf:owner/repo:Q1_0",
      "owner/repo:Q1_0",
    ]) {
      assert.throws(() => modelSource(given, false, nothing), { code: "usage", message: /hf:owner\/repo\/FILE\.gguf/ });
    }
  });
});
