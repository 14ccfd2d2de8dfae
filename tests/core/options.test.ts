/** Options as tables: unknown names, wrong kinds, and objects that fight back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OnebitError } from "../../src/core/errors.ts";
import {
  BOOLEAN,
  FUNCTION,
  type OptionTable,
  SIGNAL,
  TEXT,
  check,
  checkOptions,
  list,
  number,
  oneOf,
  options,
  required,
  whole,
} from "../../src/core/options.ts";

interface Inner {
  readonly token?: string;
}
interface Sample {
  readonly text: string;
  readonly maxTokens?: number;
  readonly rate?: number;
  readonly isOn?: boolean;
  readonly kind?: "a" | "b";
  readonly ids?: readonly number[];
  readonly inner?: Inner;
  readonly signal?: AbortSignal;
  readonly onProgress?: () => void;
}

const TABLE: OptionTable<Sample> = {
  text: required(TEXT),
  maxTokens: whole(0, 100),
  rate: number({ min: 0, below: 1 }),
  isOn: BOOLEAN,
  kind: oneOf("a", "b"),
  ids: list("a list of ids", whole(0)),
  inner: options<Inner>({ token: TEXT }),
  signal: SIGNAL,
  onProgress: FUNCTION,
};
const read = (given: unknown): Sample => checkOptions("sample", given, TABLE, { meanings: { swish: 'kind: "a"' } });
const refusal = (given: unknown): string => {
  try {
    read(given);
  } catch (error) {
    assert.ok(error instanceof OnebitError, String(error));
    return `${error.code} ${error.message}`;
  }
  assert.fail("was accepted");
};

describe("names", () => {
  const cases: readonly (readonly [object, string])[] = [
    [{ text: "", max_tokens: 1 }, "option/unknown sample: no option max_tokens: did you mean maxTokens?"],
    [{ text: "", maxTokens: 5, swish: true }, 'option/unknown sample: no option swish: did you mean kind: "a"?'],
    [{ text: "", inner: { tokn: "x" } }, "option/unknown inner: no option tokn: did you mean token?"],
    [
      { text: "", banana: 1 },
      "option/unknown sample: no option banana: the options are text, maxTokens, rate, isOn, kind, ids, inner, " +
        "signal, onProgress",
    ],
    [
      { text: "", constructor: 1 },
      "option/unknown sample: no option constructor: the options are text, maxTokens, rate, isOn, kind, ids, inner, " +
        "signal, onProgress",
    ],
    [
      { text: "", ["\x1b[2J"]: 1 },
      'option/unknown sample: no option "\\u001b[2J": the options are text, maxTokens, rate, isOn, kind, ids, inner, ' +
        "signal, onProgress",
    ],
    [
      JSON.parse('{"text":"","__proto__":1}') as object,
      "option/unknown sample: no option __proto__: the options are text, maxTokens, rate, isOn, kind, ids, inner, " +
        "signal, onProgress",
    ],
    [
      Object.create({ text: "", maxToken: 1 }) as object,
      "option/unknown sample: no option maxToken: did you mean maxTokens?",
    ],
  ];
  for (const [given, message] of cases) test(message.slice(0, 60), () => assert.equal(refusal(given), message));

  test("undefined counts as absent, symbols are ignored, inherited properties count", () => {
    assert.deepEqual(read({ text: "x", max_tokens: undefined, maxTokens: undefined, [Symbol("tag")]: 1 }), {
      text: "x",
    });
    assert.deepEqual(read(Object.create({ text: "x" })), { text: "x" });
    assert.deepEqual(
      read(
        new (class {
          get text() {
            return "x";
          }
        })(),
      ),
      { text: "x" },
    );
  });
});

describe("values", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [null, "sample: options: wanted an object, got null"],
    [[], "sample: options: wanted an object, got a list of 0"],
    ["x", 'sample: options: wanted an object, got "x"'],
    [() => {}, "sample: options: wanted an object, got a function"],
    [undefined, "text: wanted a text, got undefined"],
    [{ text: null }, "text: wanted a text, got null"],
    [{ text: "", maxTokens: "5" }, 'maxTokens: wanted an integer from 0 to 100, got "5"'],
    [{ text: "", maxTokens: 101 }, "maxTokens: wanted an integer from 0 to 100, got 101"],
    [{ text: "", maxTokens: 5n }, "maxTokens: wanted an integer from 0 to 100, got 5"],
    [{ text: "", rate: 1 }, "rate: wanted a number from 0 to below 1, got 1"],
    [{ text: "", rate: NaN }, "rate: wanted a number from 0 to below 1, got NaN"],
    [{ text: "", isOn: "false" }, 'isOn: wanted true or false, got "false"'],
    [{ text: "", kind: Symbol("a") }, 'kind: wanted "a" or "b", got Symbol(a)'],
    [{ text: "", ids: 3 }, "ids: wanted a list of ids, got 3"],
    [{ text: "", ids: [0, , 2] }, "ids[1]: wanted an integer from 0 up, got undefined"],
    [{ text: "", ids: new DataView(new ArrayBuffer(4)) }, "ids: wanted a list of ids, got an object"],
    [{ text: "", ids: new Array(2 ** 32 - 1) }, "ids: at most 16777216 items, got 4294967295"],
    [{ text: "", inner: null }, "inner: options: wanted an object, got null"],
    [{ text: "", signal: { aborted: false } }, "signal: wanted an AbortSignal, got an object"],
    [{ text: "", onProgress: {} }, "onProgress: wanted a function, got an object"],
  ];
  for (const [given, message] of cases) test(message, () => assert.equal(refusal(given), `option/invalid ${message}`));

  test("a value that throws when read is refused", () => {
    const thrower = new Proxy(
      {},
      {
        get: () => assert.fail("get"),
        ownKeys: () => assert.fail("keys"),
        getPrototypeOf: () => assert.fail("prototype"),
      },
    );
    const { proxy: revoked, revoke } = Proxy.revocable([], {});
    revoke();
    for (const odd of [thrower, revoked]) {
      assert.match(refusal(odd), /^option\/invalid /);
      for (const name of Object.keys(TABLE))
        assert.match(refusal({ text: "", [name]: odd }), /^option\/invalid /, name);
    }
    assert.match(
      refusal({
        get text() {
          throw new Error("mine");
        },
      }),
      /^option\/invalid sample: reading it failed: "mine"/,
    );
  });

  test("are copied, so later changes have no effect", () => {
    const ids = [1, 2],
      given = { text: "x", ids };
    const found = read(given);
    ids.push(3);
    given.text = "y";
    assert.deepEqual(found, { text: "x", ids: [1, 2] });
    assert.deepEqual(read({ text: "", ids: Int32Array.of(1, 2) }).ids, [1, 2]);
  });

  test("arguments, in the same words", () => {
    assert.equal(check("length", 3, whole(0)), 3);
    assert.throws(() => check("length", "3", whole(0)), {
      code: "option/invalid",
      message: 'length: wanted an integer from 0 up, got "3"',
    });
    assert.throws(() => check("steps", 0, whole(1), "train/bad-option"), { code: "train/bad-option" });
  });
});

test("a message is at most two thousand characters, and keeps both its ends", () => {
  const { message } = new OnebitError("file/read", `begin ${"x".repeat(1e6)} end`);
  assert.ok(message.length <= 2000);
  assert.match(message, /^begin x+ … x+ end$/);
  assert.ok(refusal({ text: "", kind: "x".repeat(1e6) }).length < 200);
  assert.ok(refusal({ text: "", kind: 10n ** 5000n }).length < 200);
});
