/**
 * Many clients at once, of whom some leave and some read slowly: each who stays gets the answer that it would get
 * alone. `ONEBIT_CLIENTS_S` makes it longer (seconds; the default is a short form).
 */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import type { Model } from "../../src/index.ts";
import { handlerOf, loadShakespeare, post } from "./ask.ts";
import { seededRandom } from "../synthetic/random.ts";

const SECONDS = Number(process.env.ONEBIT_CLIENTS_S ?? 2);
const N_CLIENTS = 64;
const N_QUESTIONS = 24;
const MEBIBYTE = 1024 * 1024;
/** A collector works when it likes: within seconds 37 MiB more were seen, within minutes none. A leak has no end. */
const GROWTH_MAX_MIB = 96;

interface Question {
  readonly path: string;
  readonly body: object;
}

const questions: readonly Question[] = Array.from({ length: N_QUESTIONS }, (_, i) => {
  const common = { seed: i, max_tokens: 4 + (i % 20), temperature: i % 3 === 0 ? 0 : 1, n: 1 + (i % 2) };
  const content = `${["ROMEO", "JULIET", "HAMLET"][i % 3]}: ${"O ".repeat(i)}`;
  return i % 4 === 0
    ? { path: "/v1/completions", body: { ...common, prompt: content } }
    : { path: "/v1/chat/completions", body: { ...common, messages: [{ role: "user", content }] } };
});

/** An answer without what is new each time. */
function textOf(answer: string): string {
  return answer.replace(/"(?:id|created)":(?:"[^"]*"|\d+)/g, "").replace(/"cached_tokens":\d+/g, "");
}

/** Texts of each choice of a stream. */
function textsOf(events: string): string {
  const texts = new Map<number, string>();
  for (const [, data] of events.matchAll(/^data: (\{.*)$/gm)) {
    const { choices } = JSON.parse(data) as {
      choices: { index: number; text?: string; delta?: { content?: string } }[];
    };
    for (const { index, text, delta } of choices)
      texts.set(index, (texts.get(index) ?? "") + (text ?? delta?.content ?? ""));
  }
  return JSON.stringify([...texts].sort(([a], [b]) => a - b));
}

describe("many clients", () => {
  let model: Model;
  before(async () => void (model = await loadShakespeare()));
  after(async () => await model.close());

  test(`${N_CLIENTS} at once, with aborts and slow readers: the same answers as alone, and memory stays`, async (t) => {
    const alone = handlerOf(model, { parallel: 1 }),
      handler = handlerOf(model, { parallel: 8, queue: N_CLIENTS });
    const expected: { whole: string; streamed: string }[] = [];
    for (const { path, body } of questions) {
      const whole = textOf(await (await alone(post(path, body))).text()),
        streamed = textsOf(await (await alone(post(path, { ...body, stream: true }))).text());
      expected.push({ whole, streamed });
    }
    const half = performance.now() + SECONDS * 500,
      end = performance.now() + SECONDS * 1000,
      wasmBytes = model.memory.wasmBytes;
    let nAnswers = 0,
      nLeft = 0,
      halfBytes = 0;
    const firstMs: number[] = [];

    const client = async (seed: number): Promise<void> => {
      const random = seededRandom(seed);
      while (performance.now() < end) {
        const i = random.u32() % N_QUESTIONS,
          stream = random.u32() % 2 === 0,
          kind = random.u32() % 4,
          { path, body } = questions[i];
        const leaving = new AbortController();
        if (kind === 0) setTimeout(() => leaving.abort(), random.u32() % 60);
        const askedMs = performance.now(),
          response = await handler(post(path, { ...body, stream }, { signal: leaving.signal }));
        // A stream begins with its first token.
        if (stream && response.status === 200) firstMs.push(performance.now() - askedMs);
        if (kind === 0 && (response.status !== 200 || leaving.signal.aborted)) {
          await response.body?.cancel();
          nLeft++;
          continue;
        }
        assert.equal(response.status, 200);
        const text = kind === 1 ? await slowly(response) : await response.text();
        if (leaving.signal.aborted) nLeft++;
        else {
          nAnswers++;
          assert.equal(stream ? textsOf(text) : textOf(text), stream ? expected[i].streamed : expected[i].whole);
        }
        // Of the second half of the time, with what the first has left behind.
        if (halfBytes === 0 && performance.now() > half) halfBytes = process.memoryUsage.rss();
      }
    };
    await Promise.all(Array.from({ length: N_CLIENTS }, (_, i) => client(i + 1)));
    const [before, after] = [halfBytes, process.memoryUsage.rss()].map((bytes) => Math.round(bytes / MEBIBYTE));
    const sorted = firstMs.sort((a, b) => a - b),
      [median, p95] = [0.5, 0.95].map((share) => Math.round(sorted[Math.floor(share * sorted.length)] ?? 0));
    t.diagnostic(`first token after ${median} ms, p95 ${p95} ms (${sorted.length} streams)`);
    t.diagnostic(`${nAnswers} answers, ${nLeft} who left; ${before} MiB at half of the time, ${after} at its end`);
    assert.ok(after < before + GROWTH_MAX_MIB, `memory grew from ${before} to ${after} MiB`);
    assert.ok(nAnswers >= N_CLIENTS / 2 && nLeft > 0);
    assert.equal(model.memory.wasmBytes, wasmBytes);
    const { running, waiting } = await gauges(handler);
    assert.deepEqual([running, waiting], [0, 0]);
    await handler.close();
  });
});

async function gauges(handler: (request: Request) => Promise<Response>): Promise<{ running: number; waiting: number }> {
  for (let i = 0; ; i++) {
    const text = await (await handler(new Request("http://localhost/metrics"))).text(),
      value = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
    const found = { running: value("onebit_requests_running"), waiting: value("onebit_requests_waiting") };
    if (found.running + found.waiting === 0 || i > 200) return found;
    await pause(10);
  }
}

async function slowly(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length % 5 === 0) await pause(3);
  }
  return text;
}
