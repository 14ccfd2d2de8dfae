/**
 * examples/worker in workerd: what it streams, when it stops, what it refuses, and that a conversation survives all of
 * it.
 *
 * ONEBIT_RUNTIMES=all runs it: `.ci/run runtimes` brings workerd.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { syntheticModel } from "../synthetic/model.ts";
import { writeModelFile } from "../synthetic/write-file.ts";
import { load } from "../../src/index.ts";
import inTheBox from "../default-model/expected.json" with { type: "json" };
import { type InstalledPackage, installPackage } from "./installed-package.ts";
import { FakeBucket, type ServedWorker, buildWorker, serveWorker, workerdBinary } from "./served-worker.ts";
import { SYNTHETIC } from "./synthetic-models.ts";
import { rssBytesOf } from "./process-memory.ts";
import { type Answer, type CompletionAsk, completionRequest, readAnswer } from "./worker-answer.ts";
import { chunks, visit } from "./worker-visitors.ts";

// The package is installed from dist/ as it was built.
const skip = process.env.ONEBIT_RUNTIMES === "all" ? false : "runs in .ci/run runtimes";

/** A file of some blocks; and one whose keys and values alone, of 8 bits, are 107 MB. */
const SHAPES = {
  "small.gguf": { ...SYNTHETIC["llama-tq1_0"], nLayers: 14 },
  "too-large.gguf": { ...SYNTHETIC["llama-tq1_0"], nLayers: 12, nKvHeads: 8, headDim: 128, contextLength: 4096 },
};
/** Those that the tests put into the bucket: the example knows its files from the start. */
const FILES = [
  ...Object.keys(SHAPES),
  ...["slow.gguf", "replaced.gguf", "stalls.gguf", "silent.gguf", "none.gguf", "waits for a model.gguf"],
];
/** What the example reads at once. */
const BLOCK_BYTES = 2 ** 21;
/** A snapshot is stored when so many ids are new. */
const SNAPSHOT_IDS = 256;
const LONG = "KING HENRY V:\nOnce more unto the breach, dear friends, once more;\n".repeat(4);

for (const age of ["newest", "oldest"] as const)
  describe(`examples/worker, the ${age} workerd`, { skip }, () => {
    let installed: InstalledPackage, bucket: FakeBucket, worker: ServedWorker, binary: string;

    before(async () => {
      installed = await installPackage("workers", []);
      bucket = await FakeBucket.start();
      for (const [name, shape] of Object.entries(SHAPES)) {
        await writeModelFile(join(installed.folder, name), syntheticModel(shape, 1));
        bucket.objects.set(name, new Uint8Array(readFileSync(join(installed.folder, name))));
      }
      binary =
        workerdBinary(age) ?? assert.fail(`the ${age} workerd is not installed for this machine: run .ci/run runtimes`);
      await buildWorker(installed.folder, bucket.url, binary, FILES);
      worker = await serveWorker(installed.folder, binary);
    });
    after(async () => {
      await worker?.stop();
      await bucket?.stop();
      rmSync(installed.folder, { recursive: true, force: true });
    });

    const restart = async (): Promise<void> => {
      await worker.stop();
      worker = await serveWorker(installed.folder, binary);
    };
    const post = (ask: CompletionAsk, headers: object = {}, signal?: AbortSignal): Promise<Response> =>
      fetch(`${worker.url}/v1/completions`, { ...completionRequest(ask, headers), signal });
    const ask = async (asked: CompletionAsk, conversation?: string): Promise<Answer> =>
      readAnswer(await post(asked, conversation === undefined ? {} : { "x-conversation-id": conversation }));
    const romeo = (max_tokens: number, more: object = {}): CompletionAsk => ({ prompt: "ROMEO:", max_tokens, ...more });
    const refusal = async (body: object): Promise<{ status: number; code: string; message: string }> => {
      const headers = { "content-type": "application/json" },
        init = { method: "POST", headers, body: JSON.stringify(body) };
      const response = await fetch(`${worker.url}/v1/completions`, init),
        { error } = (await response.json()) as { error: { code: string; message: string } };
      return { status: response.status, code: error.code, message: error.message };
    };
    const snapshots = (): string[] => [...bucket.objects.keys()].filter((name) => /^[\da-f]{64}$/.test(name));
    const isIdle = async (): Promise<void> =>
      void (await until(
        async () => await (await fetch(`${worker.url}/metrics`)).text(),
        (text) => /^onebit_requests_running 0$/m.test(text) && /^onebit_requests_waiting 0$/m.test(text),
      ));

    test("shows a page, has OpenAI's paths, and nothing elsewhere", async () => {
      assert.match(await (await fetch(worker.url)).text(), /<form>/);
      const { data } = (await (await fetch(`${worker.url}/v1/models`)).json()) as { data: { id: string }[] };
      assert.deepEqual(data.map(({ id }) => id).slice(0, 2), ["shakespeare", "small.gguf"]);
      assert.equal((await fetch(`${worker.url}/elsewhere`)).status, 404);
    });

    test("streams what the model in the package writes everywhere", async () => {
      const { prompt, ids: _, ...options } = inTheBox.generation,
        { maxTokens, ...same } = options,
        answer = await ask({ prompt, max_tokens: maxTokens, ...same });
      await using model = await load(undefined, { kvType: "q8", threads: 1 });
      const { text: wanted, ids } = await model.generate(prompt, options).result();
      assert.equal(answer.text, wanted);
      assert.deepEqual([answer.finishReason, answer.tokens], ["length", ids.length]);
      // While it writes, not when it is done.
      const { nChunks } = await ask({ prompt, max_tokens: 400, seed: 1 });
      assert.ok(nChunks >= 3, `${nChunks} chunks`);
    });

    test("stops when the reader leaves, and is free for the next", async () => {
      for (const headers of [{}, { "x-conversation-id": randomUUID() }]) {
        const leave = new AbortController(),
          left = await post(romeo(500), headers, leave.signal);
        await left.body!.getReader().read();
        leave.abort();
        assert.equal((await ask(romeo(5))).tokens, 5);
      }
      await isIdle();
    });

    test("answers several at once, each as if alone", async () => {
      const answers = await Promise.all([1, 2, 3].map(() => ask(romeo(60, { seed: 3 }))));
      assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
      assert.equal(answers[0].tokens, 60);
    });

    const once = (model: string, max_tokens = 3): CompletionAsk => ({
      prompt: "Once upon a time",
      max_tokens,
      seed: 7,
      model,
    });

    test("reads a model from R2 in ranges", async () => {
      await using model = await load(join(installed.folder, "small.gguf"), { kvType: "q8" });
      const expected = await model.generate("Once upon a time", { maxTokens: 24, seed: 7 }).text();
      assert.equal((await ask(once("small.gguf", 24))).text, expected);
      const sizeBytes = bucket.objects.get("small.gguf")!.length,
        readBytes = bucket.reads.reduce((sum, { length }) => sum + length, 0);
      assert.ok(
        bucket.reads.length >= 3 && bucket.reads.every(({ length }) => length <= BLOCK_BYTES),
        JSON.stringify(bucket.reads),
      );
      // The header's block is read for the plan, and again to load.
      assert.ok(readBytes <= sizeBytes + 2 * BLOCK_BYTES, `${readBytes} bytes for ${sizeBytes}`);
    });

    test("goes on loading when the one who asked leaves: others wait for it", async () => {
      bucket.objects.set("slow.gguf", bucket.objects.get("small.gguf")!);
      bucket.beforeRead = () => new Promise((resolve) => setTimeout(resolve, 300));
      const leave = new AbortController(),
        left = post(once("slow.gguf"), {}, leave.signal),
        before = bucket.reads.length;
      await until(
        async () => bucket.reads.length,
        (reads) => reads > before,
      );
      const waits = ask(once("slow.gguf"));
      leave.abort();
      await assert.rejects(left, { name: "AbortError" });
      assert.equal((await waits).tokens, 3);
      const nReads = bucket.reads.length - before;
      assert.ok(nReads < 12, `${nReads} reads: it was loaded once`);
      bucket.beforeRead = () => {};
      assert.equal((await ask(romeo(3))).tokens, 3);
    });

    test("refuses a file that is replaced while it is read, or missing, without saying why", async () => {
      bucket.objects.set("replaced.gguf", bucket.objects.get("small.gguf")!);
      bucket.beforeRead = () => void bucket.objects.set("replaced.gguf", new Uint8Array(1000));
      const replaced = await refusal(once("replaced.gguf"));
      bucket.beforeRead = () => {};
      const missing = await refusal(once("none.gguf"));
      for (const { status, message } of [replaced, missing])
        assert.deepEqual([status, message], [503, "the model cannot be read"]);
    });

    test("refuses a model beyond its limit from the header alone", async () => {
      const before = bucket.reads.length,
        { status, code } = await refusal(once("too-large.gguf"));
      assert.deepEqual([status, code], [503, "model/not-enough-memory"]);
      const reads = bucket.reads.slice(before);
      assert.ok(reads.length > 0 && reads.every(({ begin }) => begin === 0), JSON.stringify(reads));
    });

    test("refuses what it is not asked rightly", async () => {
      for (const body of [{ prompt: 5.5 }, { prompt: "a", temperature: -1 }, { prompt: "x".repeat(20_001) }])
        assert.equal((await refusal(body)).status, 400, JSON.stringify(body).slice(0, 40));
      assert.equal((await refusal(once("unknown.gguf"))).status, 404);
      assert.equal((await post(romeo(1), { "x-conversation-id": "a b" })).status, 400);
      const long = { method: "POST", body: chunks("x".repeat(1_000_000), 3), duplex: "half" } as RequestInit,
        headers = { "content-type": "application/json" };
      assert.equal((await fetch(`${worker.url}/v1/completions`, { ...long, headers })).status, 413);
      for (const origin of ["https://elsewhere.example", "null"])
        assert.equal((await post(romeo(1), { origin })).status, 403);
      assert.equal((await post(romeo(1), { origin: new URL(worker.url).origin })).status, 200);
    });

    test("leaves nobody waiting when a request is left at any moment", async () => {
      const expected = (await ask(romeo(12, { seed: 1 }))).text;
      const slow = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 200));
      type Begin = (headers: object, abort: AbortController) => Promise<unknown>;
      const moments: Readonly<Record<string, Begin>> = {
        "its body": async (headers, { signal }) =>
          await fetch(`${worker.url}/v1/completions`, {
            ...{ method: "POST", body: chunks('{"prompt": "', 1, true), duplex: "half", signal },
            headers: { "content-type": "application/json", ...headers },
          } as RequestInit),
        "a model": (headers, { signal }) => post(once("waits for a model.gguf"), headers, signal),
        "a turn": (headers, { signal }) => post(romeo(500), headers, signal),
        "between pieces": async (headers, { signal }) =>
          await (await post(romeo(500), headers, signal)).body!.getReader().read(),
        "at the end": async (headers, { signal }) => await (await post(romeo(3), headers, signal)).text(),
      };
      bucket.objects.set("waits for a model.gguf", bucket.objects.get("small.gguf")!);
      for (const [moment, begin] of Object.entries(moments)) {
        for (const headers of [{}, { "x-conversation-id": randomUUID() }]) {
          // Others are writing, so that some of those who leave are waiting for them.
          const others = [1, 2].map(() => ask(romeo(12, { seed: 1 })));
          bucket.beforeRead = moment === "a model" ? slow : () => {};
          await Promise.all(
            [0, 5, 20, 50, 100].map(async (ms) => {
              const abort = new AbortController(),
                left = begin(headers, abort).catch(() => {});
              await new Promise((resolve) => setTimeout(resolve, ms));
              abort.abort();
              await left;
            }),
          );
          for (const { text } of await Promise.all(others)) assert.equal(text, expected, moment);
          assert.equal((await ask(romeo(12, { seed: 1 }))).text, expected, moment);
          bucket.beforeRead = () => {};
        }
      }
      await isIdle();
    });

    test("asks a bucket that stalls again, and lets it stop nobody else", async () => {
      bucket.objects.set("stalls.gguf", bucket.objects.get("small.gguf")!);
      let nReads = 0;
      bucket.beforeRead = () => (++nReads === 2 ? new Promise(() => {}) : undefined);
      const stalled = ask(once("stalls.gguf"));
      await until(
        async () => nReads,
        (found) => found >= 2,
      );
      // The model in the package is there already; this one must be loaded while the other is.
      assert.equal((await ask(once("small.gguf"))).tokens, 3);
      assert.equal((await ask(romeo(3))).tokens, 3);
      assert.equal((await stalled).tokens, 3);
      bucket.objects.set("silent.gguf", bucket.objects.get("small.gguf")!);
      bucket.beforeRead = () => new Promise(() => {});
      const silent = await Promise.all([1, 2].map(() => refusal(once("silent.gguf"))));
      bucket.beforeRead = () => {};
      for (const { status, code } of silent) assert.deepEqual([status, code], [503, "hub/timeout"]);
      assert.equal((await ask(once("silent.gguf"))).tokens, 3);
    });

    test("gives visitors of every kind, at once, what the library gives alone", async (t) => {
      const seconds = Number(process.env.ONEBIT_MIXED_S ?? 20);
      let nReads = 0;
      bucket.beforeRead = () => (++nReads % 30 === 0 ? new Promise(() => {}) : undefined);
      const visited = await visit({
        worker,
        nRequests: Infinity,
        nClients: 12,
        seed: 1,
        files: { "small.gguf": join(installed.folder, "small.gguf") },
        untilMs: Date.now() + seconds * 1000,
      });
      bucket.beforeRead = () => {};
      t.diagnostic(JSON.stringify(visited));
      await isIdle();
      assert.ok(snapshots().length > 0);
    });

    test("goes on with a conversation: from its cache while it lives, from its snapshot when not", async () => {
      const say = async (said: string, conversation: string): Promise<Answer> =>
        await ask({ prompt: said, max_tokens: 30, seed: 1 }, conversation);
      const [undisturbed, moved, short] = [randomUUID(), randomUUID(), randomUUID()],
        first = await say(LONG, undisturbed),
        prompt = `${LONG}${first.text}\nJULIET:\nO`,
        second = await say(prompt, undisturbed);
      // The last id of a turn was sampled and not yet read; only that and the new text are.
      const cached = LONG.length + 30 - 1;
      assert.deepEqual([second.promptTokens, second.cachedTokens], [prompt.length, cached]);

      assert.ok(LONG.length > SNAPSHOT_IDS);
      for (const isKilled of [true, false]) {
        const before = snapshots().length;
        assert.equal((await say(LONG, moved)).text, first.text);
        assert.equal(snapshots().length, before + (isKilled ? 1 : 0));
        const begun = await say("ROMEO:\nGood morrow", short);
        if (isKilled) await restart();
        // More conversations than the cache has pages.
        else for (let i = 0; i < 210; i++) await ask({ prompt: `${i} says`, max_tokens: 1 });
        const found = await say(prompt, moved);
        assert.deepEqual([found.text, found.cachedTokens], [second.text, cached], `killed: ${isKilled}`);
        // Too short for a snapshot: read again.
        const { text, cachedTokens } = await say("ROMEO:\nGood morrow", short);
        assert.equal(text, begun.text);
        if (isKilled) assert.equal(cachedTokens, 0);
      }
    });

    test("holds a hundred conversations of a hundred tokens at once, in the memory of an isolate", async (t) => {
      await restart();
      await (await fetch(worker.url)).text();
      const idleBytes = rssBytesOf(worker.pid),
        names = Array.from({ length: 100 }, (): string => randomUUID());
      const turn = async (said: (name: string) => string, max_tokens: number): Promise<Answer[]> => {
        const answers: Answer[] = [];
        // Ten at a time: an isolate that is asked more often gets company.
        for (let i = 0; i < names.length; i += 10)
          answers.push(
            ...(await Promise.all(
              names.slice(i, i + 10).map((name) => ask({ prompt: said(name), max_tokens, seed: 1 }, name)),
            )),
          );
        return answers;
      };
      // Each begins with its own name, so that none shares another's pages; two pages of 64 for each.
      const begin = (name: string): string => `${name.slice(0, 18)}:\nOnce more unto the breach, dear friends, once\n`,
        first = await turn(begin, 40),
        texts = new Map(names.map((name, i) => [name, first[i].text])),
        second = await turn((name) => `${begin(name)}${texts.get(name)}\nO`, 5),
        grownBytes = rssBytesOf(worker.pid) - idleBytes;
      t.diagnostic(`${(grownBytes / 1e6).toFixed(0)} MB beyond idle with 100 conversations`);
      for (const { cachedTokens, promptTokens } of second) assert.equal(cachedTokens, promptTokens - "\nO".length - 1);
      assert.ok(grownBytes < 128e6, `${grownBytes} bytes beyond idle`);
    });
  });

async function until<T>(find: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  // The oldest workerd may not tell that a reader has left: then the handler ends its answer after 30 s.
  for (let tries = 0; tries < 900; tries++) {
    const found = await find();
    if (isRight(found)) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return assert.fail("not within 45 s");
}
