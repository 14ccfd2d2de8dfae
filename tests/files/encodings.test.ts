/** Half precision over all its values, UTF-8 without loss, and JSON that may be hostile. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { floatToHalf, floatsToBfloats, floatsToHalves, halfToFloat } from "../../src/files/float16.ts";
import { parseJsonObject } from "../../src/files/json.ts";
import { Utf8Decoder, encodeUtf8 } from "../../src/files/utf8.ts";
import { seededRandom } from "../hostile/mutate.ts";

describe("half precision", () => {
  test("all 65,536 values go to float and back", () => {
    for (let bits = 0; bits < 65_536; bits++) {
      const value = halfToFloat(bits);
      if (Number.isNaN(value)) assert.equal(floatToHalf(value) & 0x7c00, 0x7c00);
      else assert.equal(floatToHalf(value), bits, `0x${bits.toString(16)}`);
    }
  });

  test("known values", () => {
    const known: readonly (readonly [bits: number, value: number])[] = [
      [0x3c00, 1],
      [0xc000, -2],
      [0x7bff, 65_504],
      [0x0400, 2 ** -14],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x7c00, Infinity],
      [0x3555, 0.333251953125],
    ];
    for (const [bits, value] of known) assert.equal(halfToFloat(bits), value);
    assert.ok(Object.is(halfToFloat(0x8000), -0));
  });

  test("between two neighbours the nearer one wins, and the even one half-way", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = halfToFloat(bits);
      const middle = (low + halfToFloat(bits + 1)) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const around = floatsToHalves(Float32Array.of(middle, nextFloat(middle, -1), nextFloat(middle, 1), -middle));
      assert.deepEqual([...around], [even, bits, bits + 1, even | 0x8000], `0x${bits.toString(16)}`);
    }
    assert.deepEqual(
      [...floatsToHalves(Float32Array.of(65_519.996, 65_520, 1e30, NaN))],
      [0x7bff, 0x7c00, 0x7c00, 0x7e00],
    );
  });

  test("bfloat16 rounds half to even and keeps NaN a NaN", () => {
    const floats = new Float32Array(
      Uint32Array.of(0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x7f800001, 0xff800000, 0x7f7fffff).buffer,
    );
    assert.deepEqual([...floatsToBfloats(floats)], [0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x7fc0, 0xff80, 0x7f80]);
  });
});

describe("UTF-8", () => {
  const decoder = new Utf8Decoder();
  const decode = (bytes: Uint8Array) => decoder.decode(bytes, 0, bytes.length);

  test("valid text is decoded as TextDecoder does, short and long", () => {
    const text = "aé€👋\u0000\uffff\u{10ffff}\ufeffz";
    for (const times of [1, 10]) {
      const bytes = new TextEncoder().encode(text.repeat(times));
      assert.equal(decode(bytes), text.repeat(times));
      assert.deepEqual(encodeUtf8(text.repeat(times)), bytes);
    }
  });

  test("any bytes come back, and valid runs read as TextDecoder reads them", () => {
    const random = seededRandom(11);
    for (let i = 0; i < 20_000; i++) {
      // Mostly bytes that begin or continue sequences, where decoders go wrong.
      const bytes = Uint8Array.from({ length: Math.floor(random() * 70) }, () =>
        random() < 0.3 ? 0x80 + random() * 64 : 0xb0 + random() * 80,
      );
      const text = decode(bytes);
      assert.deepEqual(encodeUtf8(text), bytes);
      let strict: string | undefined;
      try {
        strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      } catch {
        strict = undefined;
      }
      if (strict !== undefined) assert.equal(text, strict);
      else assert.match(text, /[\udc80-\udcff]/);
    }
  });

  test("surrogates, overlong forms and too large code points are bytes, not characters", () => {
    for (const bytes of [
      [0xed, 0xa0, 0x80],
      [0xc0, 0xaf],
      [0xe0, 0x80, 0xaf],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf0, 0x80, 0x80, 0x80],
      [0xff],
      [0xe2, 0x82],
    ]) {
      assert.equal(decode(Uint8Array.from(bytes)), String.fromCharCode(...bytes.map((byte) => 0xdc00 + byte)));
    }
  });
});

describe("JSON", () => {
  const parse = (text: string, membersMax?: number) => parseJsonObject(new TextEncoder().encode(text), membersMax);
  const kindOf = (text: string, membersMax?: number) => {
    const parsed = parse(text, membersMax);
    return "problem" in parsed ? parsed.problem.kind : "ok";
  };

  test("objects are parsed", () => {
    assert.deepEqual(parse('{"a":[1,{"b":":{[\\""}],"c":null}'), { value: { a: [1, { b: ':{["' }], c: null } });
  });

  test("problems have a kind", () => {
    const cases: readonly (readonly [text: string, kind: string])[] = [
      ['{"a":1,"a":1}', "duplicate"],
      ['{"x":[{"a":1,"\\u0061":2}]}', "duplicate"],
      ['{"a":{"b":1},"a":{"b":1}}', "duplicate"],
      ['{"__proto__":1,"__proto__":1}', "duplicate"],
      ['{"__proto__":1}', "ok"],
      ["[]", "syntax"],
      ["1", "syntax"],
      ["null", "syntax"],
      ['{"a"', "syntax"],
      ['{"a\\', "syntax"],
      ["", "syntax"],
      [`{"a":${"[".repeat(63)}${"]".repeat(63)}}`, "ok"],
      [`{"a":${"[".repeat(64)}${"]".repeat(64)}}`, "limit"],
      [`${'{"a":'.repeat(1_000_000)}`, "limit"],
    ];
    for (const [text, kind] of cases) assert.equal(kindOf(text), kind, text.slice(0, 60));
    assert.equal(kindOf('{"a":1,"b":2}', 1), "limit");
  });
});

/** The neighbour of a positive value in single precision. */
function nextFloat(value: number, direction: 1 | -1): number {
  const float = new Float32Array([value]);
  const bits = new Uint32Array(float.buffer);
  bits[0] = bits[0]! + direction;
  return float[0]!;
}
