/** Values that no argument of the library is meant to have, or has only by luck. Each call makes a fresh one. */
import type { Random } from "../../synthetic/random.ts";

const refuse = (): never => {
  throw new TypeError("looked at");
};
const revoked = (target: object): object => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};
/** Throws whatever is done with it, but for calling it: what a caller's own function throws is the caller's. */
const thrower = (target: object): object =>
  new Proxy(target, {
    get: refuse,
    has: refuse,
    ownKeys: refuse,
    getOwnPropertyDescriptor: refuse,
    getPrototypeOf: refuse,
    set: refuse,
    construct: refuse,
  });

const ODD_VALUES: readonly (() => unknown)[] = [
  ...[
    undefined,
    null,
    true,
    false,
    0,
    -0,
    -1,
    1,
    2,
    1.5,
    -1.5,
    NaN,
    Infinity,
    -Infinity,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    1e308,
    5e-324,
  ].map((value) => () => value),
  ...[
    "",
    "x",
    "5",
    "1e3",
    "true",
    "null",
    "constructor",
    "__proto__",
    "toString",
    "\ud800",
    "\u001b]0;x\u0007",
    "\0",
    "../..",
    "hf:",
    "http://",
    "file://x/y",
    "x".repeat(20_000),
  ].map((value) => () => value),
  ...[0n, -1n, 5n, 2n ** 64n, 10n ** 400n].map((value) => () => value),
  () => Symbol("s"),
  () => Symbol.iterator,
  () => [],
  () => [1],
  () => [[1]],
  () => [null],
  () => ["x", 1, {}],
  () => [, 1],
  () => new Array(2 ** 32 - 1),
  () => [NaN],
  () => [Symbol("s")],
  () => [-1, 2 ** 40],
  () => ({}),
  () => ({ a: 1 }),
  () => Object.create(null) as object,
  () => ({ length: 2, 0: 1, 1: 2 }),
  () => ({ length: 2 ** 53 }),
  () => ({ length: -1 }),
  () => ({ length: "2" }),
  () => ({ toString: refuse }),
  () => ({ valueOf: refuse }),
  () => ({ [Symbol.toPrimitive]: refuse }),
  () => ({ [Symbol.iterator]: refuse }),
  () => ({
    get a() {
      return refuse();
    },
  }),
  () => ({ toJSON: refuse }),
  () => ({ then: 1 }),
  () => ({ data: [1], shape: [1] }),
  () => ({ data: new Float32Array(4), shape: [2 ** 40] }),
  () => ({ data: new Float32Array(4), shape: "2" }),
  () => ({ aborted: true }),
  () => ({ read() {}, close() {}, sizeBytes: -1 }),
  () => () => {},
  () => async () => {},
  () => new Date(),
  () => new Date(NaN),
  () => /x/,
  () => new Map(),
  () => new Map([["x", 1]]),
  () => new Set([1]),
  () => new WeakMap(),
  () => new Error("e"),
  () => Promise.resolve(1),
  () => new Uint8Array(3),
  () => new Float32Array(2),
  () => Int32Array.of(1, -1),
  () => new BigInt64Array(2),
  () => new DataView(new ArrayBuffer(8)),
  () => new ArrayBuffer(8),
  () => new SharedArrayBuffer(8),
  () => new Number(5),
  () => new String("x"),
  () => new Boolean(false),
  () => Object(5n) as object,
  () => new URL("data:,x"),
  () => new Blob(["x"]),
  () => AbortSignal.abort(),
  () => new AbortController(),
  () => AbortSignal.abort(Symbol("why")),
  () => globalThis,
  () => thrower({}),
  () => thrower([]),
  () => thrower(() => {}),
  () => revoked({}),
  () => revoked([]),
  () => new Proxy([1, 2], {}),
  () => new Proxy(AbortSignal.abort(), {}),
  () => new Proxy([], { get: (_, name) => (name === "length" ? 2 ** 53 : 1) }),
  () => {
    const circular: { self?: object } = {};
    circular.self = circular;
    return circular;
  },
];

export function oddValue(random: Random): unknown {
  return ODD_VALUES[random.u32() % ODD_VALUES.length]();
}

/** Each value that throws when it is read, listed or made a text. */
export function throwingValues(): unknown[] {
  return ODD_VALUES.filter((make) => {
    try {
      const value: unknown = make();
      if (typeof value === "object" && value !== null) void [...Object.values(value), `${value as object}`];
      return false;
    } catch {
      return true;
    }
  }).map((make) => make());
}
