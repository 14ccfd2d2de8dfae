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
import { type Answer, readAnswer } from "./worker-answer.ts";
import { chunks, visit } from "./worker-visitors.ts";

// The package is installed from dist/ as it was built.
const skip = process.env.ONEBIT_RUNTIMES === "all" ? false : "runs in .ci/run runtimes";

/** A file of some blocks; and one whose keys and values alone, of 8 bits, are 107 MB. */
const SHAPES = {
  "small.gguf": { ...SYNTHETIC["llama-tq1_0"], nLayers: 14 },
  "too-large.gguf": { ...SYNTHETIC["llama-tq1_0"], nLayers: 12, nKvHeads: 8, headDim: 128, contextLength: 4096 },
};
/** What the example reads at once. */
const BLOCK_BYTES = 2 ** 21;

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
      await buildWorker(installed.folder, bucket.url, binary);
      worker = await serveWorker(installed.folder, binary);
    });
    after(async () => {
      await worker?.stop();
      await bucket?.stop();
      rmSync(installed.folder, { recursive: true, force: true });
    });

    const post = (path: string, body: object, signal?: AbortSignal): Promise<Response> =>
      fetch(worker.url + path, { method: "POST", body: JSON.stringify(body), signal });
    const ask = async (path: string, body: object): Promise<Answer> => readAnswer(await post(path, body));
    const refusal = async (path: string, body: object): Promise<{ status: number; code: string; message: string }> => {
      const response = await post(path, body);
      return { status: response.status, ...((await response.json()) as { code: string; message: string }) };
    };
    const talks = new Map<string, string>();
    /** The path of a conversation that the tests call `name`. */
    const talk = (name: string): string => {
      talks.set(name, talks.get(name) ?? `/conversations/${randomUUID()}`);
      return talks.get(name)!;
    };
    const idsOf = async (name: string): Promise<number[]> =>
      ((await (await fetch(worker.url + talk(name))).json()) as { ids: number[] }).ids;

    test("shows a page, and nothing elsewhere", async () => {
      assert.match(await (await fetch(worker.url)).text(), /<form>/);
      assert.equal((await fetch(`${worker.url}/elsewhere`)).status, 404);
    });

    test("streams what the model in the package writes everywhere", async () => {
      const { prompt, ids: _, ...options } = inTheBox.generation,
        { text, end } = await ask("/generate", { text: prompt, ...options });
      await using model = await load(undefined, { kvType: "q8", threads: 1 });
      const { text: wanted, ids } = await model.generate(prompt, options).result();
      assert.equal(text, wanted);
      assert.deepEqual(
        { stopReason: end.stopReason, tokens: end.tokens },
        { stopReason: "length", tokens: ids.length },
      );
      // While it writes, not when it is done.
      const { nChunks } = await ask("/generate", { text: prompt, maxTokens: 500, seed: 1 });
      assert.ok(nChunks >= 3, `${nChunks} chunks`);
    });

    test("stops when the reader leaves, and is free for the next", async () => {
      for (const path of ["/generate", talk("left")]) {
        const leave = new AbortController(),
          left = await post(path, { text: "ROMEO:", maxTokens: 500 }, leave.signal);
        await left.body!.getReader().read();
        leave.abort();
        assert.equal((await ask("/generate", { text: "ROMEO:", maxTokens: 5 })).end.tokens, 5);
      }
      const ids = await until(
        () => idsOf("left"),
        (found) => found.length > 0,
      );
      assert.ok(ids.length > "ROMEO:".length && ids.length < 400, `kept what was written before, ${ids.length} ids`);
    });

    test("answers several at once, each as if alone", async () => {
      const body = { text: "ROMEO:", maxTokens: 60, seed: 3 },
        answers = await Promise.all([1, 2, 3].map(() => ask("/generate", body)));
      assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
      assert.equal(answers[0].end.tokens, 60);
    });

    test("reads a model from R2 in ranges", async () => {
      await using model = await load(join(installed.folder, "small.gguf"), { kvType: "q8" });
      const expected = await model.generate("Once upon a time", { maxTokens: 24, seed: 7 }).text();
      assert.equal(
        (await ask("/generate", { text: "Once upon a time", maxTokens: 24, seed: 7, model: "small.gguf" })).text,
        expected,
      );
      const sizeBytes = bucket.objects.get("small.gguf")!.length,
        readBytes = bucket.reads.reduce((sum, { length }) => sum + length, 0);
      assert.ok(
        bucket.reads.length >= 3 && bucket.reads.every(({ length }) => length <= BLOCK_BYTES),
        JSON.stringify(bucket.reads),
      );
      assert.ok(readBytes < sizeBytes + BLOCK_BYTES, `${readBytes} bytes for ${sizeBytes}`);
    });

    test("goes on loading when the one who asked leaves: others wait for it", async () => {
      bucket.objects.set("slow.gguf", bucket.objects.get("small.gguf")!);
      bucket.beforeRead = () => new Promise((resolve) => setTimeout(resolve, 300));
      const leave = new AbortController(),
        left = post("/generate", { text: "Once", model: "slow.gguf" }, leave.signal),
        before = bucket.reads.length;
      await until(
        async () => bucket.reads.length,
        (reads) => reads > before,
      );
      const waits = ask("/generate", { text: "Once", maxTokens: 3, temperature: 0, model: "slow.gguf" });
      leave.abort();
      await assert.rejects(left, { name: "AbortError" });
      assert.equal((await waits).end.tokens, 3);
      bucket.beforeRead = () => {};
      assert.equal((await ask("/generate", { text: "ROMEO:", maxTokens: 3 })).end.tokens, 3);
    });

    test("refuses a file that is replaced while it is read", async () => {
      bucket.objects.set("replaced.gguf", bucket.objects.get("small.gguf")!);
      bucket.beforeRead = () => void bucket.objects.set("replaced.gguf", new Uint8Array(1000));
      const { status, code, message } = await refusal("/generate", { text: "Once", model: "replaced.gguf" });
      bucket.beforeRead = () => {};
      assert.deepEqual([status, code], [500, "file/read"]);
      assert.match(message, /replaced/);
    });

    test("refuses a model beyond its limit from the header alone, and says what it would take", async () => {
      const before = bucket.reads.length,
        { status, code, message } = await refusal("/generate", { text: "Once", model: "too-large.gguf" });
      assert.deepEqual([status, code], [507, "model/not-enough-memory"]);
      assert.match(message, /MB/);
      // Asked again after each of the models at rest that were closed to make room, and for the first block alone.
      const reads = bucket.reads.slice(before);
      assert.ok(reads.length > 0 && reads.every(({ begin }) => begin === 0), JSON.stringify(reads));
    });

    test("refuses what it is not asked rightly", async () => {
      for (const body of [
        { text: 5 },
        { text: "Once", maxTokens: 501 },
        { text: "Once", model: 1 },
        { text: "x".repeat(20_001) },
      ]) {
        const { status, code } = await refusal("/generate", body);
        assert.deepEqual([status, code], [400, "option/invalid"], JSON.stringify(body).slice(0, 40));
      }
      assert.equal((await refusal("/generate", { text: "Once", model: "none.gguf" })).status, 404);
      assert.match(
        await (await post("/generate", { text: "Once", temperature: -1 })).text(),
        /^event: error\ndata: \{"code":"option\/invalid","message":"temperature/,
      );
    });

    test(
      "leaves nobody waiting when a request is left at any moment: for its body, a model, a turn, between pieces, " +
        "at the end",
      async () => {
        const expected = (await ask("/generate", { text: "ROMEO:", maxTokens: 12, seed: 1 })).text;
        const slow = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 200));
        const moments: Readonly<
          Record<string, (path: string, abort: AbortController, model: string) => Promise<unknown>>
        > = {
          "its body": async (path, abort) =>
            await fetch(worker.url + path, {
              method: "POST",
              body: chunks('{"text": "', 1, true),
              duplex: "half",
              signal: abort.signal,
            } as RequestInit),
          "a model": (path, abort, model) => post(path, { text: "Once", model }, abort.signal),
          "a turn": (path, abort) => post(path, { text: "ROMEO:", maxTokens: 500 }, abort.signal),
          "between pieces": async (path, abort) =>
            await (await post(path, { text: "ROMEO:", maxTokens: 500 }, abort.signal)).body!.getReader().read(),
          "at the end": async (path, abort) =>
            await (await post(path, { text: "ROMEO:", maxTokens: 3 }, abort.signal)).text(),
        };
        for (const [moment, begin] of Object.entries(moments)) {
          for (const path of ["/generate", talk(`left at ${moment}`)]) {
            // Others are writing, so that some of those who leave are waiting for them.
            const others = [1, 2].map(() => ask("/generate", { text: "ROMEO:", maxTokens: 12, seed: 1 }));
            bucket.objects.set(`${moment}.gguf`, bucket.objects.get("small.gguf")!);
            bucket.beforeRead = moment === "a model" ? slow : () => {};
            await Promise.all(
              [0, 5, 20, 50, 100].map(async (ms) => {
                const abort = new AbortController(),
                  left = begin(path, abort, `${moment}.gguf`).catch(() => {});
                await new Promise((resolve) => setTimeout(resolve, ms));
                abort.abort();
                await left;
              }),
            );
            for (const { text } of await Promise.all(others)) assert.equal(text, expected, moment);
            assert.equal((await ask("/generate", { text: "ROMEO:", maxTokens: 12, seed: 1 })).text, expected, moment);
            bucket.beforeRead = () => {};
            // The conversation is free again, and goes on or begins.
            if (path !== "/generate")
              await until(
                async () => (await fetch(worker.url + path, { method: "DELETE" })).status,
                (status) => status === 204,
              );
          }
        }
      },
    );

    test("asks a bucket that stalls again, and lets it stop nobody else", async () => {
      bucket.objects.set("stalls.gguf", bucket.objects.get("small.gguf")!);
      let nReads = 0;
      bucket.beforeRead = () => (++nReads === 2 ? new Promise(() => {}) : undefined);
      const stalled = ask("/generate", { text: "Once upon a time", maxTokens: 3, seed: 7, model: "stalls.gguf" });
      await until(
        async () => nReads,
        (found) => found >= 2,
      );
      // The model in the package is there already; this one must be loaded while the other is.
      assert.equal(
        (await ask("/generate", { text: "Once", maxTokens: 3, temperature: 0, model: "small.gguf" })).end.tokens,
        3,
      );
      assert.equal((await ask("/generate", { text: "ROMEO:", maxTokens: 3 })).end.tokens, 3);
      assert.equal((await stalled).end.tokens, 3);
      bucket.objects.set("silent.gguf", bucket.objects.get("small.gguf")!);
      bucket.beforeRead = () => new Promise(() => {});
      const answers = await Promise.all([1, 2].map(() => refusal("/generate", { text: "Once", model: "silent.gguf" })));
      bucket.beforeRead = () => {};
      assert.deepEqual(
        answers.map(({ status, code }) => [status, code]),
        [
          [504, "hub/timeout"],
          [504, "hub/timeout"],
        ],
      );
      assert.equal(
        (await ask("/generate", { text: "Once", maxTokens: 3, temperature: 0, model: "silent.gguf" })).end.tokens,
        3,
      );
    });

    test("has stored a turn when it says that it ended: workerd is killed then, each time", async () => {
      for (let turn = 1; turn <= 5; turn++) {
        const { end } = await ask(talk("killed"), { text: "ROMEO:", maxTokens: turn, seed: turn });
        await worker.stop();
        worker = await serveWorker(installed.folder, binary);
        assert.equal((await idsOf("killed")).length, end.promptTokens + end.tokens);
      }
    });

    test("counts bodies as they come, and knows no name that can be guessed", async () => {
      const chunked = (text: string, count: number, neverEnds = false): Promise<Response> =>
        fetch(`${worker.url}/generate`, {
          method: "POST",
          body: chunks(text, count, neverEnds),
          duplex: "half",
        } as RequestInit);
      const late = chunked('{"text": "', 1, true);
      assert.equal((await chunked("x".repeat(1_000_000), 20)).status, 400);
      assert.equal((await readAnswer(await chunked('{"text": "ROMEO:", "maxTokens": 2}', 1))).end.tokens, 2);
      const escaped = `{"text": "${"\\u0041".repeat(200)}", "maxTokens": 2}`;
      assert.equal((await readAnswer(await chunked(escaped, 1))).end.promptTokens, 200);
      for (const name of ["1", "chat", "00000000-0000-0000-0000-000000000000", randomUUID().toUpperCase()])
        assert.equal((await post(`/conversations/${name}`, { text: "ROMEO:" })).status, 404, name);
      const refused = await late;
      assert.equal(refused.status, 400);
      assert.match(await refused.text(), /wanted the body within 10 s/);
    });

    test("refuses what pages of other sites send", async () => {
      const send = (headers: Record<string, string>, method = "POST"): Promise<Response> =>
        fetch(worker.url + talk("of another site"), {
          method,
          headers,
          ...(method === "POST" ? { body: '{"text": "ROMEO:", "maxTokens": 1}' } : {}),
        });
      for (const headers of [
        { origin: "https://elsewhere.example" },
        { origin: "null" },
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
      ] as Record<string, string>[]) {
        for (const method of ["POST", "DELETE"])
          assert.equal((await send(headers, method)).status, 403, JSON.stringify(headers));
      }
      assert.deepEqual(await idsOf("of another site"), []);
      assert.equal((await send({ origin: new URL(worker.url).origin, "sec-fetch-site": "same-origin" })).status, 200);
    });

    test(
      "gives visitors of every kind, at once, what the library gives alone; it takes no more memory for many " +
        "conversations",
      async (t) => {
        const files = { "small.gguf": join(installed.folder, "small.gguf") },
          seconds = Number(process.env.ONEBIT_MIXED_S ?? 20);
        let nReads = 0;
        bucket.beforeRead = () => (++nReads % 30 === 0 ? new Promise(() => {}) : undefined);
        const visited = await visit({
          worker,
          nRequests: Infinity,
          nClients: 12,
          seed: 1,
          files,
          untilMs: Date.now() + seconds * 1000,
        });
        bucket.beforeRead = () => {};
        t.diagnostic(JSON.stringify(visited));
        await worker.stop();
        worker = await serveWorker(installed.folder, binary);
        await (await fetch(worker.url)).text();
        const idleBytes = rssBytesOf(worker.pid);
        for (let i = 0; i < 60; i++) await ask(`/conversations/${randomUUID()}`, { text: "ROMEO:", maxTokens: 2 });
        const grownBytes = rssBytesOf(worker.pid) - idleBytes;
        t.diagnostic(`${(grownBytes / 1e6).toFixed(0)} MB beyond idle after 60 conversations`);
        assert.ok(grownBytes < 128e6, `${grownBytes} bytes beyond idle`);
      },
    );

    test("keeps a conversation: its KV cache while it lives, its ids when not", async () => {
      const turns = ["ROMEO:\nGood morrow", "\nJULIET:\nO", "\nROMEO:\nAh"];
      const say = (name: string, turn: number): Promise<Answer> =>
        ask(talk(name), { text: turns[turn], maxTokens: 30, seed: turn });
      const undisturbed = [await say("undisturbed", 0), await say("undisturbed", 1), await say("undisturbed", 2)];
      const { promptTokens, cachedTokens } = undisturbed[2].end;
      // The last id of a turn was sampled and not yet read; only that and the new text are.
      assert.equal(cachedTokens, promptTokens - turns[2].length - 1);

      assert.equal((await say("moved", 0)).text, undisturbed[0].text);
      // More conversations than the cache has pages.
      for (let other = 0; other < 210; other++) await ask(talk(`other ${other}`), { text: "ROMEO:", maxTokens: 1 });
      const evicted = await say("moved", 1);
      assert.deepEqual([evicted.text, evicted.end.cachedTokens], [undisturbed[1].text, 0]);

      await worker.stop();
      worker = await serveWorker(installed.folder, binary);
      const restarted = await say("moved", 2);
      assert.deepEqual([restarted.text, restarted.end.cachedTokens], [undisturbed[2].text, 0]);
      assert.deepEqual(await idsOf("moved"), await idsOf("undisturbed"));
    });

    test("holds a hundred conversations of a hundred tokens at once, in the memory of an isolate", async (t) => {
      await worker.stop();
      worker = await serveWorker(installed.folder, binary);
      await (await fetch(worker.url)).text();
      const idleBytes = rssBytesOf(worker.pid),
        names = Array.from({ length: 100 }, () => randomUUID()),
        text = "KING HENRY V:\nOnce more unto the breach, dear friends, once more;\n";
      const turn = async (body: object): Promise<Answer[]> => {
        const answers: Answer[] = [];
        // Ten at a time: an isolate that is asked more often gets company.
        for (let i = 0; i < names.length; i += 10)
          answers.push(
            ...(await Promise.all(names.slice(i, i + 10).map((name) => ask(`/conversations/${name}`, body)))),
          );
        return answers;
      };
      const first = await turn({ text, maxTokens: 40, seed: 1 }),
        second = await turn({ text: "\nO", maxTokens: 5, seed: 2 }),
        grownBytes = rssBytesOf(worker.pid) - idleBytes;
      t.diagnostic(`${(grownBytes / 1e6).toFixed(0)} MB beyond idle with 100 conversations`);
      for (const answers of [first, second]) assert.equal(new Set(answers.map((answer) => answer.text)).size, 1);
      for (const { end } of second) assert.equal(end.cachedTokens, end.promptTokens - "\nO".length - 1);
      assert.ok(grownBytes < 128e6, `${grownBytes} bytes beyond idle`);
    });

    test("lets a conversation outgrow its model, and end", async () => {
      for (let turn = 0; turn < 4; turn++)
        assert.equal((await ask(talk("long"), { text: "ROMEO:", maxTokens: 200 })).end.tokens, 200);
      assert.ok((await idsOf("long")).length <= 512);
      assert.equal((await refusal(talk("long"), { text: "ROMEO:", model: "small.gguf" })).status, 400);
      assert.equal((await fetch(worker.url + talk("long"), { method: "DELETE" })).status, 204);
      assert.deepEqual(await idsOf("long"), []);
    });

    test("answers one turn of a conversation at a time", async () => {
      const first = await post(talk("busy"), { text: "ROMEO:", maxTokens: 400 });
      const { status, code } = await refusal(talk("busy"), { text: "JULIET:" });
      assert.deepEqual([status, code], [409, "busy"]);
      assert.equal((await readAnswer(first)).end.tokens, 400);
    });
  });

async function until<T>(find: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 100; tries++) {
    const found = await find();
    if (isRight(found)) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return assert.fail("not within 5 s");
}
