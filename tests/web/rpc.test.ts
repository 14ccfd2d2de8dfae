/** Calls over messages, both sides in one thread. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import { Answerer, Caller, type Handlers, type ToAnswerer, type ToCaller } from "../../src/web/rpc.ts";

interface Calls {
  double: { args: [n: number]; done: number };
  count: { args: [to: number]; done: string; progress: number; piece: number };
  wait: { args: []; done: string };
  finish: { args: []; done: string };
}

const HANDLERS: Handlers<Calls> = {
  double: ([n]) => (n < 0 ? Promise.reject(new OnebitError("option/invalid", "below 0")) : 2 * n),
  async count([to], { signal, onProgress, sendPiece }) {
    for (let n = 1; n <= to && !signal.aborted; n++) {
      onProgress(n);
      await sendPiece?.(n);
    }
    return signal.aborted ? "aborted" : "counted";
  },
  wait: (_, { signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve("woken"))),
  async finish(_, { endOthers }) {
    await endOthers();
    return "finished";
  },
};

/** A caller whose messages reach an answerer a turn later, and the other way round, as clones; and all it was sent. */
function pair(): { caller: Caller<Calls>; sent: ToCaller[] } {
  const sent: ToCaller[] = [];
  const caller: Caller<Calls> = new Caller((message) => {
    const clone: ToAnswerer<Calls> = structuredClone(message);
    queueMicrotask(() => answerer.receive(clone));
  });
  const answerer = new Answerer<Calls>(HANDLERS, (message) => {
    const clone = structuredClone(message);
    sent.push(clone);
    queueMicrotask(() => caller.receive(clone));
  });
  return { caller, sent };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe("calls", () => {
  test("are answered, side by side, with what comes of them or the error and its code", async () => {
    const { caller } = pair();
    assert.deepEqual(await Promise.all([caller.call("double", [4]).done, caller.call("double", [5]).done]), [8, 10]);
    await assert.rejects(caller.call("double", [-1]).done, { name: "OnebitError", code: "option/invalid" });
    await assert.rejects(caller.call("double", [(() => {}) as unknown as number]).done, { code: "option/invalid" });
  });

  test("report progress, and send pieces only to who reads them", async () => {
    const { caller, sent } = pair(),
      progress: number[] = [];
    assert.equal(await caller.call("count", [3], { onProgress: (n) => void progress.push(n) }).done, "counted");
    assert.deepEqual(progress, [1, 2, 3]);
    assert.equal(sent.filter((message) => "piece" in message).length, 0);
  });

  test("send at most 32 pieces that nobody has read yet", async () => {
    const { caller, sent } = pair(),
      nPieces = (): number => sent.filter((message) => "piece" in message).length;
    const call = caller.call("count", [40], { onPiece: () => {} });
    await turn();
    assert.equal(nPieces(), 32);
    call.consumed();
    await turn();
    assert.equal(nPieces(), 33);
    for (let n = 0; n < 7; n++) call.consumed();
    assert.equal(await call.done, "counted");
  });

  test("end by a signal, before or while they run, also when they wait for a reader", async () => {
    const { caller } = pair(),
      stop = new AbortController();
    const late = caller.call("wait", [], { signal: stop.signal }),
      unread = caller.call("count", [99], { signal: stop.signal, onPiece: () => {} });
    await turn();
    stop.abort();
    assert.deepEqual(await Promise.all([late.done, unread.done]), ["woken", "aborted"]);
  });

  test("can end all others", async () => {
    const { caller } = pair(),
      answers: string[] = [];
    const waiting = caller.call("wait", []).done.then((answer) => answers.push(answer));
    await caller.call("finish", []).done.then((answer) => answers.push(answer));
    await waiting;
    assert.deepEqual(answers, ["woken", "finished"]);
  });

  test("reject when the other side is gone: those that wait, and all later ones", async () => {
    const { caller } = pair(),
      waiting = caller.call("wait", []).done;
    caller.end(new OnebitError("engine/worker-lost", "gone"));
    await assert.rejects(waiting, { code: "engine/worker-lost" });
    await assert.rejects(caller.call("double", [1]).done, { code: "engine/worker-lost" });
  });
});
