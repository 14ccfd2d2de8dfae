/** Models that are loaded when they are asked for, within a limit of memory. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Model } from "../../src/index.ts";
import { OnebitError } from "../../src/core/errors.ts";
import { createHandler } from "../../src/server/handler.ts";
import { Life } from "../../src/server/life.ts";
import { ModelRoom } from "../../src/server/model-room.ts";
import { answered, loadShakespeare, post } from "./ask.ts";

const PATH = "/v1/completions";
const body = (model: string, more: object = {}): object => ({
  model,
  prompt: "ROMEO:",
  max_tokens: 3,
  seed: 1,
  ...more,
});

/** Models by name, with what was loaded and closed, in order. */
function shelf(names: readonly string[]) {
  const log: string[] = [];
  const load = (name: string) => async (): Promise<Model> => {
    log.push(`+${name}`);
    const model = await loadShakespeare();
    const close = model.close.bind(model);
    model.close = async () => {
      log.push(`-${name}`);
      await close();
    };
    return model;
  };
  return { log, loaders: Object.fromEntries(names.map((name) => [name, load(name)])) };
}

describe("models on demand", () => {
  test("are loaded once, for all who wait, and closed with the handler", async () => {
    const { log, loaders } = shelf(["a", "b"]),
      handler = createHandler({ models: loaders });
    assert.deepEqual(log, []);
    const all = await Promise.all(
      Array.from({ length: 6 }, (_, i) => answered(handler, post(PATH, body(i % 2 === 0 ? "a" : "b")))),
    );
    assert.ok(all.every(({ status }) => status === 200));
    assert.equal(new Set(all.map(({ json }) => json["choices"][0]["text"])).size, 1);
    assert.deepEqual(log.toSorted(), ["+a", "+b"]);
    await handler.close();
    assert.deepEqual(log.slice(2).toSorted(), ["-a", "-b"]);
  });

  test("the one unused for longest makes room; one in use never does", async () => {
    const { log, loaders } = shelf(["a", "b", "c"]),
      { wasmBytes } = await loadShakespeare().then(async (model) => (await model.close(), model.memory));
    const models = Object.fromEntries(
      Object.entries(loaders).map(([name, load]) => [name, { load, memoryBytes: wasmBytes }]),
    );
    const handler = createHandler({ models, memoryLimitBytes: 2 * wasmBytes });
    const ask = async (name: string): Promise<number> => (await answered(handler, post(PATH, body(name)))).status;
    for (const name of ["a", "b", "a", "c"]) assert.equal(await ask(name), 200);
    assert.deepEqual(log, ["+a", "+b", "-b", "+c"]);
    const using = await Promise.all(
      ["a", "c"].map((name) => handler(post(PATH, body(name, { stream: true, max_tokens: 200 })))),
    );
    const refused = await handler(post(PATH, body("b")));
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
    await Promise.all(using.map((response) => response.body?.cancel()));
    assert.equal(await ask("b"), 200);
    assert.equal(log.filter((entry) => entry === "-a" || entry === "-c").length, 1);
    await handler.close();
  });

  test("one whose size is not known before makes room when it is there", async () => {
    const { log, loaders } = shelf(["a", "b"]),
      handler = createHandler({ models: loaders, memoryLimitBytes: 15e6 });
    for (const name of ["a", "b"]) assert.equal((await answered(handler, post(PATH, body(name)))).status, 200);
    assert.deepEqual(log, ["+a", "+b", "-a"]);
    await handler.close();
  });

  test("one that does not fit alone is closed before anybody has it, and not loaded where that is known", async () => {
    const { log, loaders } = shelf(["a", "b"]),
      handler = createHandler({ models: loaders, memoryLimitBytes: 1 });
    const all = await Promise.all(Array.from({ length: 3 }, () => answered(handler, post(PATH, body("a")))));
    assert.deepEqual(
      all.map(({ status, json }) => [status, json["error"]["code"]]),
      all.map(() => [503, "model/not-enough-memory"]),
    );
    assert.deepEqual(log, ["+a", "-a"]);
    await handler.close();
    const models = { b: { load: loaders["b"]!, memoryBytes: async () => 2 } },
      planned = createHandler({ models, memoryLimitBytes: 1 });
    const { status, json } = await answered(planned, post(PATH, body("b")));
    assert.deepEqual([status, json["error"]["code"]], [503, "model/not-enough-memory"]);
    assert.deepEqual(log, ["+a", "-a"]);
    await planned.close();
  });

  test("one that is there after the end is closed", async () => {
    const { log, loaders } = shelf(["a"]),
      room = new ModelRoom(new Map(Object.entries(loaders))),
      life = new Life();
    const borrowed = room.borrow("a", life, new AbortController().signal);
    await room.close();
    await assert.rejects(borrowed, { code: "shutting_down" });
    assert.deepEqual(log, ["+a", "-a"]);
    life.end();
  });

  test("one that lost a thread is loaded again for the next request", async () => {
    const { log, loaders } = shelf(["a"]);
    let nLoads = 0;
    const load = async (): Promise<Model> => {
      const model = await loaders["a"]();
      if (nLoads++ > 0) return model;
      const lost = () => Promise.reject(new OnebitError("engine/thread-lost", "thread 1 ended"));
      model.context = () =>
        ({ generate: () => ({ [Symbol.asyncIterator]: () => ({ next: lost }) }), close() {} }) as never;
      return model;
    };
    const handler = createHandler({ models: { a: load } }),
      ask = async (): Promise<number> => (await answered(handler, post(PATH, body("a")))).status;
    assert.deepEqual([await ask(), await ask(), log], [503, 200, ["+a", "-a", "+a"]]);
    await handler.close();
  });

  test("requests that are over are forgotten, however many there were", async () => {
    const { loaders } = shelf(["a", "b"]),
      room = new ModelRoom(new Map(Object.entries(loaders)), 15e6),
      { signal } = new AbortController();
    let nLooks = 0;
    class Watched extends Life {
      override get isOver(): boolean {
        nLooks++;
        return super.isOver;
      }
    }
    for (let i = 0; i < 100; i++) {
      const life = new Watched();
      await room.borrow("a", life, signal);
      life.end();
    }
    nLooks = 0;
    const life = new Life();
    await room.borrow("b", life, signal);
    assert.ok(nLooks <= 1, `${nLooks} looks`);
    life.end();
    await room.close();
  });

  test("one that cannot be loaded: 503 without its path, and the next request tries again", async () => {
    const failures: unknown[] = [];
    let nTries = 0;
    const load = async (): Promise<Model> => {
      if (++nTries < 3) throw new OnebitError("file/not-found", "/home/me/secret.gguf: no such file");
      return await loadShakespeare();
    };
    const handler = createHandler({ models: { a: load }, onError: (error) => failures.push(error) });
    for (const expected of [503, 503, 200]) {
      const { status, json } = await answered(handler, post(PATH, body("a")));
      assert.equal(status, expected);
      assert.doesNotMatch(JSON.stringify(json), /secret/);
    }
    assert.equal(failures.length, 2);
    await handler.close();
  });

  test("a request without a name gets the first", async () => {
    const { log, loaders } = shelf(["b", "a"]),
      handler = createHandler({ models: loaders });
    await answered(handler, post(PATH, { prompt: "x", max_tokens: 1 }));
    assert.deepEqual(log, ["+b"]);
    await handler.close();
  });

  test("options that are wrong", () => {
    for (const [options, message] of [
      [{}, /models/],
      [{ models: {} }, /at least one/],
      [{ models: { a: 1 } }, /models\["a"\]/],
      [{ models: { a: loadShakespeare }, parallel: 0 }, /parallel/],
      [{ models: { a: loadShakespeare }, apiKeys: ["short"] }, /8 printable/],
      [{ models: { a: loadShakespeare }, allowOrigins: [] }, /did you mean allowedOrigins/],
    ] as const)
      assert.throws(() => createHandler(options as never), { name: "OnebitError", message });
  });
});
