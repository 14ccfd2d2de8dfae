/** The parts of the chat page that need no browser. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { splitSentences } from "../../src/web/page/views/announcer.ts";
import { type Turn, editedAt, messagesOf, textOf, withoutAnswer } from "../../src/web/page/state/conversation.ts";
import { explain } from "../../src/web/page/views/explain.ts";
import { formatBytes, formatDuration } from "../../src/web/page/views/format.ts";
import { kernelFiles } from "../../src/web/page/kernel-files.ts";
import { type KeyedStorage, Memory } from "../../src/web/page/state/memory.ts";
import { nameOf } from "../../src/web/page/state/model-session.ts";
import { DEFAULT_SETTINGS, NUMBER_SETTINGS, settingsFrom } from "../../src/web/page/state/settings.ts";

const user = (text: string): Turn => ({ role: "user", text });
const model = (text: string): Turn => ({ role: "assistant", text });

describe("conversation", () => {
  const turns = [user("a"), model("b\n"), user("c"), model("d")];

  test("as one text: answers follow at once, what is typed next begins a paragraph", () => {
    assert.equal(textOf(turns), "ab\n\ncd");
    assert.equal(textOf([user("ROMEO:\n")]), "ROMEO:\n");
    assert.equal(textOf([]), "");
  });

  test("as messages: instructions first", () => {
    const contents = (system: string): string[] => messagesOf(turns, system).map(({ content }) => String(content));
    assert.deepEqual(contents("be kind"), ["be kind", "a", "b\n", "c", "d"]);
    assert.deepEqual(contents("  "), ["a", "b\n", "c", "d"]);
  });

  test("an edit forgets what came after; another answer forgets the last one", () => {
    assert.deepEqual(editedAt(turns, 2, "e"), [user("a"), model("b\n"), user("e")]);
    assert.deepEqual(withoutAnswer(turns), turns.slice(0, 3));
    assert.deepEqual(withoutAnswer(turns.slice(0, 3)), turns.slice(0, 3));
  });
});

describe("settings", () => {
  test("anything becomes settings; what is out of range gets its preset", () => {
    for (const found of [
      undefined,
      null,
      7,
      "x",
      [],
      { temperature: "hot", topK: -1, seed: 1.5, theme: "pink", system: 3 },
    ])
      assert.deepEqual(settingsFrom(found), DEFAULT_SETTINGS);
    assert.equal(settingsFrom({ temperature: 1.25 }).temperature, 1.25);
    assert.equal(settingsFrom({ topK: 12.4 }).topK, 12);
    assert.equal(settingsFrom({ seed: 7 }).seed, 7);
    assert.equal(settingsFrom({ theme: "dark" }).theme, "dark");
    assert.equal(settingsFrom({ system: "x".repeat(5000) }).system.length, 4000);
  });

  test("every preset is within its row, on its grid", () => {
    for (const { name, min, max, step, preset } of NUMBER_SETTINGS) {
      assert.ok(preset >= min && preset <= max, name);
      const steps = (preset - min) / step;
      assert.ok(Math.abs(steps - Math.round(steps)) < 1e-9, name);
    }
  });
});

describe("memory", () => {
  const storage = (values: Record<string, string> = {}): KeyedStorage & { values: Record<string, string> } => ({
    values,
    getItem: (key) => values[key] ?? null,
    setItem: (key, value) => void (values[key] = value),
    removeItem: (key) => void delete values[key],
  });

  test("keeps turns, settings and the model", () => {
    const memory = new Memory(storage());
    memory.turns = [user("a"), model("b")];
    memory.settings = { ...DEFAULT_SETTINGS, temperature: 1 };
    memory.model = "hf:a/b";
    memory.fileName = "c.gguf";
    assert.deepEqual(
      [memory.turns, memory.settings.temperature, memory.model, memory.fileName],
      [[user("a"), model("b")], 1, "hf:a/b", "c.gguf"],
    );
    memory.turns = [];
    memory.model = undefined;
    assert.deepEqual([memory.turns, memory.model], [[], undefined]);
  });

  test("what others wrote there is no harm", () => {
    const memory = new Memory(
      storage({
        "onebit:turns": '[{"role":"system","text":"x"},{"role":"user"},3,{"role":"user","text":"a","more":1}]',
        "onebit:settings": "{",
        "onebit:model": "{}",
      }),
    );
    assert.deepEqual([memory.turns, memory.settings, memory.model], [[user("a")], DEFAULT_SETTINGS, undefined]);
  });

  const full = (values: Record<string, string> = {}): KeyedStorage & { values: Record<string, string> } => ({
    ...storage(values),
    setItem: () => {
      throw new DOMException("full", "QuotaExceededError");
    },
    values,
  });

  test("keeps what is typed and what is being changed", () => {
    const values: Record<string, string> = {},
      memory = new Memory(storage(values));
    assert.deepEqual([memory.keepDraft("not yet"), memory.keepEdits(new Map([[2, "other"]]))], [true, true]);
    const again = new Memory(storage(values));
    assert.deepEqual([again.draft, [...again.edits]], ["not yet", [[2, "other"]]]);
    assert.deepEqual([memory.keepDraft(""), memory.keepEdits(new Map())], [true, true]);
    assert.deepEqual([again.draft, again.edits.size, values], ["", 0, {}]);
    for (const odd of ["{", "3", '[[1],"x",["0","a"],[1,2]]'])
      assert.equal(new Memory(storage({ "onebit:edits": odd, "onebit:draft": odd })).edits.size, 0);
  });

  test("two tabs keep two conversations; a new tab begins with the last", () => {
    const shared = storage(),
      tabs = [storage(), storage()],
      [a, b] = tabs.map((tab) => new Memory(shared, tab));
    a.turns = [user("a")];
    b.turns = [user("b")];
    assert.deepEqual(
      [new Memory(shared, tabs[0]).turns, new Memory(shared, tabs[1]).turns, new Memory(shared, storage()).turns],
      [[user("a")], [user("b")], [user("b")]],
    );
    a.turns = [];
    b.turns = [user("b")];
    assert.deepEqual(new Memory(shared, tabs[0]).turns, [], "begun anew, whatever the other tab says");
  });

  test("says what became of a conversation that the browser does not keep", () => {
    const turns = [user("a")];
    const cases: [storage: KeyedStorage | undefined, tab: KeyedStorage | undefined, kept: string, found: unknown[]][] =
      [
        [storage(), storage(), "all", turns],
        [storage(), undefined, "all", turns],
        [full(), storage(), "in-tab", turns],
        [undefined, storage(), "in-tab", turns],
        [full(), full(), "nothing", []],
        [undefined, undefined, "nothing", []],
      ];
    for (const [shared, tab, kept, found] of cases) {
      const memory = new Memory(shared, tab);
      memory.turns = turns;
      assert.deepEqual([memory.kept, memory.turns], [kept, found]);
      assert.equal(memory.keepDraft("x"), kept !== "nothing");
      memory.turns = [];
      assert.equal(memory.kept, "all", "there is nothing to lose");
    }
    const memory = new Memory(storage());
    memory.turns = [user("a".repeat(400_000)), model("b".repeat(400_000))];
    assert.equal(memory.kept, "not-the-beginning");
  });

  test("a tab that grew full does not give back what it had before", () => {
    const shared = storage(),
      values = { "onebit:turns": JSON.stringify([user("old")]) };
    const memory = new Memory(shared, full(values));
    memory.turns = [user("new")];
    assert.deepEqual(memory.turns, [user("new")]);
  });

  test("lets the oldest turns go rather than outgrow the storage", () => {
    const memory = new Memory(storage());
    memory.turns = [user("a".repeat(400_000)), model("b".repeat(400_000)), user("c")];
    assert.deepEqual(
      memory.turns.map(({ text }) => text[0]),
      ["b", "c"],
    );
  });

  test("a storage that refuses is none", () => {
    const refuse = (): never => {
      throw new Error("QuotaExceededError");
    };
    for (const none of [undefined, { getItem: refuse, setItem: refuse, removeItem: refuse }]) {
      const memory = new Memory(none);
      memory.turns = [user("a")];
      assert.deepEqual([memory.turns, memory.settings, memory.model], [[], DEFAULT_SETTINGS, undefined]);
    }
  });
});

describe("explanations", () => {
  const online = { isOnline: true, isFile: false };
  const cases: readonly (readonly [
    code: ConstructorParameters<typeof OnebitError>[0],
    says: RegExp,
    where?: Partial<typeof online>,
  ])[] = [
    ["engine/unsupported", /no WebAssembly SIMD/],
    ["engine/forbidden", /forbids WebAssembly/],
    ["engine/worker-lost", /ran out of memory/],
    ["engine/part-missing", /could not be fetched/],
    ["hub/worker-lost", /go on with the download/],
    ["hub/no-space", /no room/],
    ["hub/network", /CORS/],
    ["hub/network", /no network/, { isOnline: false }],
    ["hub/offline", /not kept on this device/],
    ["hub/unavailable", /opened as a file/, { isFile: true }],
    ["hub/unavailable", /private windows/],
    ["gguf/bad-magic", /not a model file/],
    ["file/unknown-format", /not a model file/],
    ["gguf/truncated", /incomplete/],
    ["tensor/bad-data", /damaged/],
    ["model/bad-shape", /damaged/],
    ["tensor/unsupported-type", /TQ2_0/],
    ["model/unsupported-architecture", /does not know this kind/],
    ["model/not-enough-memory", /needs more memory/],
    ["hub/not-found", /no such model/],
    ["hub/server", /does not answer as it should/],
  ];
  for (const [code, says, where = {}] of cases) {
    test(`${code} ${JSON.stringify(where)}`, () => {
      const { sentence, detail } = explain(new OnebitError(code, "what the library says"), { ...online, ...where });
      assert.match(sentence, says);
      assert.match(detail, new RegExp(`\\[${code}\\]$`));
    });
  }

  test("what is no error of the library is said to be unexpected", () =>
    assert.match(explain(new TypeError("x"), online).sentence, /unexpected/));
});

test("sentences are read aloud whole", () => {
  assert.deepEqual(splitSentences("One. Two! Thr"), { whole: "One. Two! ", rest: "Thr" });
  assert.deepEqual(splitSentences("no end yet"), { whole: "", rest: "no end yet" });
  assert.deepEqual(splitSentences("“Yes.” And"), { whole: "“Yes.” ", rest: "And" });
  const long = splitSentences("word ".repeat(60));
  assert.equal(long.whole.length + long.rest.length, 300);
  assert.ok(long.whole.length > 240);
});

test("numbers as people read them", () => {
  assert.deepEqual([999, 864_544, 12_345_678, 2.5e9].map(formatBytes), ["999 bytes", "865 kB", "12.3 MB", "2.5 GB"]);
  assert.deepEqual([400, 59_400, 83_000, 3_700_000].map(formatDuration), ["0 s", "59 s", "1 min 23 s", "1 h 1 min"]);
});

test("names of models", () => {
  assert.equal(nameOf({ kind: "built-in" }), "Shakespeare");
  assert.equal(nameOf({ kind: "kept", source: "hf:owner/name@main" }), "name");
  assert.equal(nameOf({ kind: "kept", source: "https://example.com/a/b.gguf?x=1" }), "b.gguf");
});

test("kernels for one thread where there are no more", () => {
  assert.deepEqual(kernelFiles("relaxed", false), ["relaxed"]);
  assert.deepEqual(kernelFiles("simd", true), ["simd", "simd-threads"]);
});
