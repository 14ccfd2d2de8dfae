/**
 * The parts that compute and touch nothing: reading sources, choosing files, journals, speed, waiting times.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describeProgress } from "../../src/cli/pull-line.ts";
import { OnebitError } from "../../src/core/errors.ts";
import { fileNameOf } from "../../src/hub/cache-layout.ts";
import { chooseFiles } from "../../src/hub/choose-file.ts";
import { decodeJournal, encodeHeader, encodePart, isSameFile } from "../../src/hub/journal.ts";
import { ProgressTeller } from "../../src/hub/progress.ts";
import type { PullProgress } from "../../src/hub/progress.ts";
import { PassingFailure, retryAfterMs, withRetries } from "../../src/hub/retry.ts";
import { HUB_URL_DEFAULT, isSafePath, parseSource } from "../../src/hub/source.ts";
import { SpeedMeter } from "../../src/hub/speed.ts";

describe("sources", () => {
  const hub = (repo: string, file?: string, revision?: string) => ({ kind: "hub", repo, file, revision });
  test("of every form", () => {
    const cases: readonly (readonly [text: string, parsed: object])[] = [
      ["hf:owner/repo", hub("owner/repo")],
      ["hf:owner/repo@v1.0", hub("owner/repo", undefined, "v1.0")],
      ["hf:owner/repo@refs/pr/3", hub("owner/repo", undefined, "refs/pr/3")],
      ["hf:owner/repo/a/b.gguf@main", hub("owner/repo", "a/b.gguf", "main")],
      ["hf://owner/repo/b.gguf", hub("owner/repo", "b.gguf")],
      ["HF:prism-ml/Bonsai-1.7B-gguf", hub("prism-ml/Bonsai-1.7B-gguf")],
      [`${HUB_URL_DEFAULT}/owner/repo`, hub("owner/repo")],
      [`${HUB_URL_DEFAULT}/owner/repo/`, hub("owner/repo")],
      [`${HUB_URL_DEFAULT}/owner/repo/blob/main/x%20y.gguf`, hub("owner/repo", "x y.gguf", "main")],
      [`${HUB_URL_DEFAULT}/owner/repo/resolve/v1/x.gguf?download=true#top`, hub("owner/repo", "x.gguf", "v1")],
      [`${HUB_URL_DEFAULT}/owner/repo/tree/v1`, hub("owner/repo", undefined, "v1")],
      [
        `${HUB_URL_DEFAULT}/owner/repo/discussions/1`,
        { kind: "url", url: `${HUB_URL_DEFAULT}/owner/repo/discussions/1` },
      ],
      ["https://example.com/a.gguf?x=1#y", { kind: "url", url: "https://example.com/a.gguf?x=1" }],
      ["http://localhost:8080/m", { kind: "url", url: "http://localhost:8080/m" }],
      ["model.gguf", { kind: "path" }],
      ["./hf/model.gguf", { kind: "path" }],
      ["C:\\m.gguf", { kind: "path" }],
      ["/a/b", { kind: "path" }],
    ];
    for (const [text, parsed] of cases) assert.deepEqual(parseSource(text, HUB_URL_DEFAULT), parsed, text);
  });

  test("that lead out of a folder are refused", () => {
    for (const path of [
      "",
      "..",
      "a/..",
      "../a",
      "a//b",
      "/a",
      "a/",
      "a\\b",
      "a\0b",
      "c:",
      "a. ",
      "nul\x1b",
      "a/./b",
      "x".repeat(1001),
      "nul",
      "a/CON.gguf",
      "com1.x/b",
    ])
      assert.ok(!isSafePath(path), JSON.stringify(path));
    for (const path of ["a", "a/b.gguf", "..a", "a..b", ".gitattributes", "é b", "console.gguf", "a/aux-1.gguf"])
      assert.ok(isSafePath(path), path);
  });

  test("give names that every OS accepts", () => {
    assert.equal(fileNameOf("https://x/a/b%20c.gguf?d"), "b_c.gguf");
    assert.equal(fileNameOf("https://x/"), "model");
    assert.equal(fileNameOf("https://x/%2e%2e%2fetc"), "_etc");
    assert.equal(fileNameOf("https://x/%ff.gguf"), "_ff.gguf");
    assert.equal(fileNameOf(`https://x/${"y".repeat(400)}`).length, 120);
  });
});

describe("choosing", () => {
  test("among 100,000 names of any kind takes less than a second of processor time", () => {
    const nFiles = 100_000,
      kinds: Record<string, (i: number) => string> = {
        models: (i) => `m-${i}-TQ2_0.gguf`,
        "shards of many models": (i) =>
          `m${Math.floor(i / 100)}-Q4_0-${String((i % 100) + 1).padStart(5, "0")}-of-00100.gguf`,
        "shards of few models": (i) =>
          `m${Math.floor(i / 1000)}-${String((i % 1000) + 1).padStart(5, "0")}-of-01000.gguf`,
        "weights of a folder": (i) =>
          i === 0
            ? "config.json"
            : i <= 1000
              ? `model-${String(i).padStart(5, "0")}-of-01000.safetensors`
              : `x-${i}.safetensors`,
        "no models": (i) => `data/train-${i}.parquet`,
        "labels without end": (i) => `${"q5_iq1-".repeat(20)}${i}`,
      };
    for (const [name, nameOf] of Object.entries(kinds)) {
      const files = Array.from({ length: nFiles }, (_, i) => ({ path: nameOf(i), sizeBytes: i })),
        begin = process.cpuUsage();
      try {
        assert.ok(chooseFiles(files, undefined, "o/r").paths.length > 0);
      } catch (error) {
        assert.ok(error instanceof OnebitError && error.code === "hub/no-model" && error.message.length < 2000, name);
      }
      const { user, system } = process.cpuUsage(begin);
      assert.ok(user + system < 1_000_000, `${name}: ${user + system} µs`);
    }
  });

  const choose = (paths: readonly string[], wanted?: string) =>
    chooseFiles(
      paths.map((path, i) => ({ path, sizeBytes: path.includes("F16") ? 9000 : 1000 + i })),
      wanted,
      "o/r",
    );

  test("the best of what repositories of 1-bit models hold", () => {
    const cases: readonly (readonly [paths: readonly string[], best: string, nOthers: number])[] = [
      [["Bonsai-1.7B-F16.gguf", "Bonsai-1.7B-Q1_0.gguf"], "Bonsai-1.7B-Q1_0.gguf", 1],
      [["ggml-model-i2_s.gguf", "README.md"], "ggml-model-i2_s.gguf", 0],
      [["x-Q8_0.gguf", "x-Q4_K_M.gguf", "x-tq2_0.gguf", "x-IQ2_XXS.gguf", "x-TL1.gguf"], "x-tq2_0.gguf", 2],
      [["bitcpm4-0.5b-bf16.gguf", "bitcpm4-0.5b-tq2_0.gguf"], "bitcpm4-0.5b-tq2_0.gguf", 1],
      [["mmproj-model-f16.gguf", "imatrix.gguf", "model.gguf"], "model.gguf", 0],
      [["config.json", "model.safetensors", "tokenizer.json"], "model.safetensors", 0],
      [["config.json", "model.safetensors", "m-Q8_0.gguf"], "model.safetensors", 1],
      [["config.json", "model.safetensors", "m-TQ1_0.gguf"], "m-TQ1_0.gguf", 1],
      [["a-Q2_0-00002-of-00002.gguf", "a-Q2_0-00001-of-00002.gguf"], "a-Q2_0-00001-of-00002.gguf", 0],
      [["model.safetensors", "only-F32.gguf"], "only-F32.gguf", 0],
      [["x-PQ2_0.gguf", "x-Q2_0_g64.gguf", "x-Q2_0.gguf"], "x-PQ2_0.gguf", 2],
    ];
    for (const [paths, best, nOthers] of cases) {
      const {
        paths: [first],
        others,
      } = choose(paths);
      assert.equal(first, best);
      assert.equal(others.length, nOthers, best);
    }
  });

  test("does not depend on the order of the list, and prefers the smaller", () => {
    const files = [
      ["b-TQ2_0.gguf", 20],
      ["a-TQ1_0.gguf", 10],
      ["c-Q8_0.gguf", 1],
    ].map(([path, sizeBytes]) => ({ path: String(path), sizeBytes: Number(sizeBytes) }));
    for (const order of [files, [...files].reverse()])
      assert.deepEqual(chooseFiles(order, undefined, "x").paths, ["a-TQ1_0.gguf"]);
  });

  test("the named file, with all that belongs to it", () => {
    assert.deepEqual(
      choose(["x-IQ2_XXS.gguf", "y.gguf"], "x-IQ2_XXS.gguf").paths,
      ["x-IQ2_XXS.gguf"],
      "whatever its type",
    );
    assert.deepEqual(
      choose(["sub/config.json", "sub/model.safetensors", "config.json"], "sub/model.safetensors").paths,
      ["sub/model.safetensors", "sub/config.json"],
    );
    assert.deepEqual(choose(["a-00001-of-00002.gguf", "a-00002-of-00002.gguf"], "a-00002-of-00002.gguf").paths, [
      "a-00001-of-00002.gguf",
      "a-00002-of-00002.gguf",
    ]);
  });

  test("nothing if there is nothing to choose", () => {
    const code = (wanted: string) => (error: unknown) => error instanceof OnebitError && error.code === wanted;
    for (const paths of [[], ["README.md"], ["x-TL2.gguf"], ["config.json"], ["model.safetensors"]])
      assert.throws(() => choose(paths), code("hub/no-model"));
    assert.throws(() => choose(["a-00001-of-00003.gguf", "a-00003-of-00003.gguf"]), code("hub/no-model"));
    assert.throws(() => choose(["a-00001-of-99999.gguf"]), code("hub/no-model"));
    assert.throws(() => choose(["a.gguf"], "b.gguf"), code("hub/not-found"));
  });
});

describe("a journal", () => {
  const identity = { sizeBytes: 10_000_000, etag: '"x"', hash: undefined };
  const bytes = Buffer.concat([encodeHeader(identity), ...[0, 3, 4].map(encodePart)]);

  test("cut anywhere claims no more than it held", () => {
    assert.deepEqual([...decodeJournal(bytes)!.done], [0, 3, 4]);
    for (let end = 0; end < bytes.length; end++) {
      const found = decodeJournal(bytes.subarray(0, end));
      if (end < encodeHeader(identity).length) assert.equal(found, undefined);
      else assert.ok([...found!.done].every((index) => [0, 3, 4].includes(index)) && found!.endBytes <= end);
    }
  });

  test("with zeros or garbage in it drops lines that are no parts", () => {
    const torn = Buffer.concat([bytes, Buffer.from("\0\0\0\n7\n99999999999\n-1\n1e0\n04\n5\n")]);
    assert.deepEqual([...decodeJournal(torn)!.done], [0, 3, 4], "10,000,000 bytes have parts 0 to 4");
    for (const text of [
      "",
      "\n",
      "{}\n",
      "[]\n",
      "null\n",
      '{"version":2,"partBytes":2097152,"sizeBytes":1}\n',
      '{"version":1,"partBytes":1,"sizeBytes":1}\n',
      '{"version":1,"partBytes":2097152,"sizeBytes":-1}\n',
    ]) {
      assert.equal(decodeJournal(Buffer.from(text)), undefined, text);
    }
  });

  test("matches a file by its hash, else by size and ETag, else not", () => {
    assert.ok(isSameFile(identity, { ...identity }));
    assert.ok(!isSameFile(identity, { ...identity, etag: '"y"' }));
    assert.ok(!isSameFile(identity, { ...identity, sizeBytes: 1 }));
    assert.ok(!isSameFile({ ...identity, etag: undefined }, { ...identity, etag: undefined }));
    assert.ok(isSameFile({ ...identity, hash: "sha256:1", etag: "a" }, { ...identity, hash: "sha256:1", etag: "b" }));
    assert.ok(!isSameFile({ ...identity, hash: "sha256:1" }, identity));
  });
});

describe("time", () => {
  test("speed covers the last seconds", () => {
    const meter = new SpeedMeter(0);
    assert.deepEqual(meter.speed(100, 0), { bytesPerSecond: 0, remainingMs: undefined });
    meter.add(1000, 1000);
    assert.deepEqual(meter.speed(500, 1000), { bytesPerSecond: 1000, remainingMs: 500 });
    meter.add(50_000, 10_000);
    assert.deepEqual(meter.speed(10_000, 10_000), { bytesPerSecond: 10_000, remainingMs: 1000 });
    assert.equal(meter.speed(1, 20_000).bytesPerSecond, 0);
  });

  test("Retry-After in seconds or as a date", () => {
    assert.equal(retryAfterMs("7", 0), 7000);
    assert.equal(retryAfterMs("Thu, 01 Jan 1970 00:00:09 GMT", 4000), 5000);
    assert.equal(retryAfterMs("Thu, 01 Jan 1970 00:00:01 GMT", 4000), 0);
    assert.equal(retryAfterMs("soon", 0), undefined);
    assert.equal(retryAfterMs(null, 0), undefined);
  });

  test("tries end after so many without progress, never while there is progress", async () => {
    const { signal } = new AbortController(),
      policy = { attempts: 3, backoffMs: 0 };
    const failure = (): never => {
      throw new PassingFailure(new OnebitError("hub/network", "cut"));
    };
    let nTries = 0;
    await assert.rejects(
      withRetries(policy, signal, async () => (nTries++, failure())),
      /cut; tried 3 times/,
    );
    assert.equal(nTries, 3);
    nTries = 0;
    await withRetries(policy, signal, async (progressed) => {
      if (nTries++ < 20) {
        progressed();
        failure();
      }
    });
    assert.equal(nTries, 21);
  });

  test("progress adds up files, and reads well", () => {
    const seen: PullProgress[] = [];
    let nowMs = 0;
    const teller = new ProgressTeller(
      (progress) => seen.push(progress),
      () => nowMs,
    );
    teller.expect([
      { name: "a", sizeBytes: 1000 },
      { name: "b", sizeBytes: 3_000_000 },
    ]);
    teller.done("a", 1000);
    assert.equal(seen.length, 0, "nothing to tell while nothing is fetched");
    teller.begin("b", 1_000_000, 3_000_000);
    nowMs = 1000;
    teller.came("b", 500_000);
    assert.deepEqual(seen.at(-1), {
      phase: "downloading",
      file: "b",
      doneBytes: 1_501_000,
      totalBytes: 3_001_000,
      bytesPerSecond: 500_000,
      remainingMs: 3000,
    });
    assert.equal(describeProgress(seen.at(-1)!), "downloading b: 1.5 MB of 3.0 MB, 50 %, 500 kB/s, 3 s left");
    teller.begin("b", 0, 3_000_000);
    assert.equal(seen.at(-1)?.doneBytes, 1000, "begun anew");
    teller.waiting("b");
    assert.match(describeProgress(seen.at(-1)!), /^waiting for b: another program/);
  });
});
