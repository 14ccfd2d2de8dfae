/** `onebit chat` over a scripted model: turns, Ctrl-C, the full context, leaving. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { runCli } from "../../src/cli/cli.ts";
import type { Library } from "../../src/cli/command.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { renderChat } from "../../src/generate/chat.ts";
import { Model } from "../../src/model.ts";
import { END_OF_TURN, fakeEngine, fakeTokenizer } from "../generate/fakes.ts";
import type { FakeEngine } from "../generate/fakes.ts";

const TURN_END = "<|im_end|>\n<|im_start|>assistant\n".length;

interface Session {
  readonly stdin: PassThrough;
  readonly out: () => string;
  readonly err: () => string;
  readonly interrupt: () => void;
  readonly status: Promise<number>;
  /** Resolves when `text` has been written `times` times. */
  readonly seen: (text: string, times?: number) => Promise<void>;
}

/** Repeats the user's last letter `length` times, then ends the turn. */
function parrot(length: number, contextLength = 2000): FakeEngine {
  return fakeEngine(
    (ids, logits) => {
      const end = ids.lastIndexOf(END_OF_TURN);
      const replied = ids.length - end - (TURN_END - "<|im_end|>".length - "<|im_start|>".length + 2);
      logits.fill(0);
      logits[replied >= length ? END_OF_TURN : ids[end - 1]] = 20;
    },
    { contextLength },
  );
}

function start(engine: FakeEngine, args: readonly string[] = []): Session {
  const stdin = new PassThrough();
  let out = "";
  let err = "";
  const handlers = new Set<() => void>();
  const terminal: Terminal = {
    stdin,
    stdinIsTty: false,
    stdoutIsTty: false,
    stderrIsTty: false,
    async out(text) {
      out += text;
    },
    err(text) {
      err += text;
    },
    onInterrupt(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    onTerminate: () => () => {},
  };
  const unused = (): never => assert.fail("not for chat");
  const library: Library = {
    load: async () => new Model({ engine, tokenizer: fakeTokenizer({ addBos: false }), renderChat, loadMs: 0 }),
    inspect: unused,
    loadTokenizer: unused,
    pull: unused,
    list: unused,
    remove: unused,
  };
  const status = runCli(["chat", "model", "--temperature", "0", ...args], terminal, library, "0");
  const seen = async (text: string, times = 1): Promise<void> => {
    while (out.split(text).length - 1 + (err.split(text).length - 1) < times)
      await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return {
    stdin,
    out: () => out,
    err: () => err,
    interrupt: () => handlers.forEach((handler) => handler()),
    status,
    seen,
  };
}

describe("onebit chat", () => {
  test("continues turn by turn and keeps the conversation", async () => {
    const engine = parrot(3);
    const session = start(engine, ["--system", "Say."]);
    session.stdin.write("x\ny\n");
    session.stdin.end();
    assert.equal(await session.status, 0);
    assert.equal(session.out(), "xxx\nyyy\n");
    const read = engine.calls.flatMap(({ ids }) => ids);
    const text = fakeTokenizer().decode(read, { special: true });
    // The second prompt continues the first: nothing is read twice.
    assert.equal(text.split("Say.").length, 2);
    assert.ok(text.includes("user\nx<|im_end|>\n<|im_start|>assistant\nxxx<|im_end|>\n<|im_start|>user\ny"), text);
    assert.equal(engine.closed, true);
  });

  test("Ctrl-C stops the reply, not the program", async () => {
    const session = start(parrot(1000), ["--max-tokens", "1500"]);
    session.stdin.write("x\n");
    await session.seen("xxxx");
    session.interrupt();
    session.stdin.write("y\n");
    await session.seen("yyyy");
    session.interrupt();
    session.stdin.write("/exit\n");
    assert.equal(await session.status, 0);
    assert.match(session.out(), /^x{4,999}\ny{4,999}\n$/);
  });

  test("Ctrl-C twice with no reply to stop leaves", async () => {
    const session = start(parrot(1));
    session.stdin.write("x\n");
    await session.seen("x\n");
    // The reply is over a moment after its newline.
    await new Promise((resolve) => setTimeout(resolve, 20));
    session.interrupt();
    await session.seen("Ctrl-C again");
    session.interrupt();
    assert.equal(await session.status, 0);
  });

  test("forgets the oldest messages when the context is full, and says so once", async () => {
    const session = start(parrot(3, 100));
    for (const letter of ["a", "b", "c"]) {
      session.stdin.write(`${letter.repeat(20)}\n`);
      await session.seen(letter, 3);
    }
    session.stdin.end();
    assert.equal(await session.status, 0);
    assert.equal(session.out(), "aaa\nbbb\nccc\n");
    assert.match(session.err(), /the oldest \d+ messages no longer fit the context: the model forgets them/);
  });

  test("reports a message that does not fit the context, and goes on", async () => {
    const session = start(parrot(3, 60));
    session.stdin.write(`${"a".repeat(60)}\n`);
    await session.seen("model/context-full");
    session.stdin.write("c\n");
    session.stdin.end();
    assert.equal(await session.status, 0);
    assert.equal(session.out(), "ccc\n");
    assert.match(session.err(), /the context holds 60/);
  });

  test("a model that cannot chat fails before the first question", async () => {
    const session = start(parrot(1), ["--chat-template", "{{ raise_exception('not me') }}"]);
    assert.equal(await session.status, 1);
    assert.match(session.err(), /not me \[template\/raised\]/);
  });
});
