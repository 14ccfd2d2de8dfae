/** A conversation that outgrows the context: what is left out, when, and what the model then reads. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ChatOptions } from "../../src/generate/chat-options.ts";
import type { ChatMessage } from "../../src/generate/chat-options.ts";
import { renderChat } from "../../src/generate/chat.ts";
import { CHAT_TEMPLATES } from "../../src/generate/chat-templates.ts";
import { FittedChat } from "../../src/generate/fit-chat.ts";
import { Model } from "../../src/model.ts";
import { seededRandom } from "../synthetic/random.ts";
import { fakeEngine, fakeTokenizer } from "./fakes.ts";

const of = (role: string, content: string): ChatMessage => ({ role, content });

/** An id a letter, two more a message. */
function render(messages: readonly ChatMessage[]) {
  return { ids: messages.flatMap(({ content }) => [0, ...Array.from(content as string, () => 1), 2]), messages };
}

describe("what is left out", () => {
  const QUESTIONS = Array.from({ length: 9 }, (_, i) => [of("user", `${i}`.repeat(8)), of("assistant", "a".repeat(8))]);

  test("nothing while prompt and reply fit", () => {
    const { prompt, droppedMessages } = new FittedChat(QUESTIONS.flat(), render, { contextLength: 190, maxTokens: 10 });
    assert.deepEqual([prompt.ids.length, droppedMessages], [180, 0]);
  });

  test("whole turns, by a quarter of the context; system messages stay", () => {
    const messages = [of("system", "s"), of("developer", "d"), ...QUESTIONS.flat()],
      fitted = new FittedChat(messages, render, { contextLength: 160, maxTokens: 10 });
    // 186 + 10 ids: 36 too many, so 40 go, two turns.
    assert.equal(fitted.droppedMessages, 4);
    assert.deepEqual(fitted.prompt.messages, [...messages.slice(0, 2), ...messages.slice(6)]);
  });

  test("never the last turn, with all that follows its question", () => {
    const last = [of("user", "u".repeat(50)), of("assistant", "call"), of("tool", "result")],
      fitted = new FittedChat([...QUESTIONS.flat(), ...last], render, { contextLength: 40, maxTokens: 10 });
    assert.deepEqual(fitted.prompt.messages, last);
    assert.equal(fitted.shorten(1), undefined);
  });

  test("a conversation without a question, or of one, is left as it is", () => {
    for (const messages of [[of("system", "s".repeat(99))], [of("assistant", "a".repeat(99))]]) {
      const fitted = new FittedChat(messages, render, { contextLength: 40, maxTokens: 10 });
      assert.deepEqual([fitted.prompt.messages, fitted.droppedMessages], [messages, 0]);
    }
  });

  test("a growing conversation keeps its beginning for a quarter of the context", () => {
    const random = seededRandom(7),
      contextLength = 400,
      messages = [of("system", "be kind")];
    let nAnswers = 0,
      nChanges = 0,
      before = 0;
    for (; nAnswers < 300; nAnswers++) {
      messages.push(of("user", "q".repeat(1 + (random.u32() % 9))));
      const { prompt, droppedMessages } = new FittedChat(messages, render, { contextLength, maxTokens: 20 });
      assert.ok(prompt.ids.length + 20 <= contextLength);
      assert.ok(droppedMessages === 0 || prompt.ids.length > contextLength / 2, "more left out than needed");
      assert.equal(prompt.messages[1].role, "user");
      if (droppedMessages !== before) nChanges++;
      before = droppedMessages;
      messages.push(of("assistant", "a".repeat(1 + (random.u32() % 9))));
    }
    const nIds = render(messages).ids.length;
    assert.ok(nChanges <= Math.ceil(nIds / (contextLength / 4)), `${nChanges} changes in ${nIds} ids`);
  });
});

/** The next id is a letter that depends on every id before it. */
const letterAfter = (ids: readonly number[]): number =>
  97 + (ids.reduce((hash, id) => Math.imul(hash ^ id, 0x01000193) >>> 0, 7) % 26);

/** `asked`: what was in the context each time the model chose an id. */
function openFake(contextLength: number): { model: Model; asked: number[][] } {
  const asked: number[][] = [];
  const engine = fakeEngine(
    (ids, logits) => {
      asked.push([...ids]);
      logits.fill(0);
      logits[letterAfter(ids)] = 20;
    },
    { contextLength },
  );
  const tokenizer = fakeTokenizer({ chatTemplate: CHAT_TEMPLATES.chatml });
  return { model: new Model({ engine, tokenizer, loadMs: 0, renderChat }), asked };
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((id, i) => id === b[i]);

const TALK = [
  of("system", "be brief"),
  ...Array.from({ length: 6 }, (_, i) => [of("user", `question ${i}`), of("assistant", `answer ${i}`)]).flat(),
  of("user", "and now?"),
];
const GREEDY: ChatOptions = { temperature: 0, ignoreEnd: true };

describe("a model whose context is full", () => {
  test("stop: a prompt that does not fit is refused, a reply ends", async () => {
    for (const onFull of [undefined, "stop"] as const) {
      await assert.rejects(
        openFake(100)
          .model.chat(TALK, { ...GREEDY, onFull })
          .text(),
        { code: "model/context-full" },
      );
      const { model } = openFake(340),
        { stopReason, droppedMessages } = await model.chat(TALK, { ...GREEDY, onFull, maxTokens: 999 }).result();
      assert.deepEqual([stopReason, droppedMessages], ["context", 0]);
    }
  });

  test("drop-oldest: the reply goes on behind a shorter prompt", async () => {
    const { model, asked } = openFake(400),
      options: ChatOptions = { ...GREEDY, onFull: "drop-oldest", maxTokens: 250 };
    const { ids, stopReason, droppedMessages } = await model.chat(TALK, options).result();
    assert.deepEqual([ids.length, stopReason, asked.length], [250, "length", 250]);
    // Every id was chosen after one of these prompts and the whole reply so far.
    const prompts = [0, 2, 4, 6, 8, 10, 12].map(
      (nDropped) => model.chatPrompt([TALK[0], ...TALK.slice(1 + nDropped)]).ids,
    );
    const nsDropped = asked.map((context, nSaid) => {
      assert.ok(context.length <= 400);
      const place = prompts.findIndex((prompt) => same(context, [...prompt, ...ids.slice(0, nSaid)]));
      assert.ok(place >= 0, `id ${nSaid} was chosen after something else`);
      assert.equal(ids[nSaid], letterAfter(context));
      return 2 * place;
    });
    assert.deepEqual(
      nsDropped,
      [...nsDropped].sort((a, b) => a - b),
    );
    assert.equal(nsDropped[0], 0);
    assert.ok(new Set(nsDropped).size > 2, "made room fewer than two times");
    assert.equal(droppedMessages, nsDropped.at(-1));
  });

  test("drop-oldest: a prompt that does not fit loses its oldest turns, and chatPrompt shows the same", async () => {
    const { model } = openFake(160),
      options: ChatOptions = { ...GREEDY, onFull: "drop-oldest", maxTokens: 5 };
    const { promptIds, droppedMessages } = await model.chat(TALK, options).result();
    assert.ok(droppedMessages > 0 && promptIds.length + 5 <= 160);
    assert.deepEqual(promptIds, model.chatPrompt(TALK, options).ids);
    assert.deepEqual(promptIds, model.chatPrompt([TALK[0], ...TALK.slice(1 + droppedMessages)]).ids);
  });

  test("drop-oldest: without a turn to leave out, a reply ends and a prompt is refused", async () => {
    const one = [of("user", "x".repeat(60))];
    const { stopReason } = await openFake(120)
      .model.chat(one, { ...GREEDY, onFull: "drop-oldest", maxTokens: 999 })
      .result();
    assert.equal(stopReason, "context");
    await assert.rejects(
      openFake(60)
        .model.chat(one, { ...GREEDY, onFull: "drop-oldest" })
        .text(),
      {
        code: "model/context-full",
      },
    );
  });

  test("another word is refused", async () => {
    await assert.rejects(
      openFake(60)
        .model.chat(TALK, { onFull: "drop" as never })
        .text(),
      {
        code: "option/invalid",
        message: /onFull: wanted "stop" or "drop-oldest", got "drop"/,
      },
    );
  });
});
