/** Small good files, of which tests and generators make damaged ones. */
import { TYPE, f32, join, pair, rawGguf, str, u32, u64 } from "../files/raw-gguf.ts";

const list = (key: string, type: number, count: number, items: Uint8Array) =>
  pair(key, TYPE.array, join(u32(type), u64(count), items));

export const GGUF_SEEDS = [
  rawGguf({}),
  rawGguf({
    version: 2,
    pairs: [
      pair("general.architecture", TYPE.string, str("bitnet-b1.58")),
      pair("a", TYPE.u8, [1]),
      pair("b", TYPE.bool, [1]),
      pair("c", TYPE.u64, u64(2n ** 60n)),
      pair("d", TYPE.i64, u64(-3)),
      pair("e", TYPE.f32, f32(1.5)),
      list("tokens", TYPE.string, 4, join(str("a"), str("bb"), str(""), str("é"))),
      list("scores", TYPE.f32, 3, join(f32(1), f32(2), f32(3))),
      list("flags", TYPE.bool, 3, Uint8Array.of(0, 1, 1)),
      list("longs", TYPE.i64, 2, join(u64(1), u64(-1))),
    ],
  }),
  rawGguf({
    pairs: [pair("general.alignment", TYPE.u32, u32(64)), pair("split.count", TYPE.u16, Uint8Array.of(1, 0))],
    tensors: [
      { name: "token_embd.weight", dims: [256, 2], type: 14, offset: 0 },
      { name: "blk.0.attn_q.weight", dims: [256, 1, 1, 2], type: 34, offset: 448 },
      { name: "output_norm.weight", dims: [16], type: 0, offset: 576 },
    ],
    alignment: 64,
    dataBytes: 576 + 64,
  }),
  rawGguf({
    tensors: [
      { name: "a", dims: [4096], type: 42, offset: 0 },
      { name: "b", dims: [4096], type: 42, offset: 1152 },
      { name: "c", dims: [128, 2], type: 36, offset: 2304 },
    ],
    dataBytes: 2304 + 96,
  }),
];

const json = (text: string, dataBytes: number): Uint8Array =>
  join(u64(text.length), new TextEncoder().encode(text), new Uint8Array(dataBytes));
export const SAFETENSORS_SEEDS = [
  json("{}", 0),
  json('{"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}   ', 12),
  json(
    '{"q":{"dtype":"U8","shape":[1,4],"data_offsets":[4,8]},' +
      '"s\\u0061":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}',
    8,
  ),
  json(
    '{"a":{"shape":[0],"data_offsets":[0,0],"dtype":"I64"},"b":{"dtype":"F16","data_offsets":[0,4],"shape":[1,1,2]}}',
    4,
  ),
];

export const JSON_SEEDS = [
  '{"a":[1,{"b":":{[\\""}],"c":null,"d":true,"e":false,"f":{}, "g" : [ ] }',
  '{"n":[0,-0,1.5,-2e10,1E-3,123456789012345678901234567890,0.1e+5,1e400],"merges":[["a","b"],"c d"]}',
  '{"s":["\\u0041\\ud83d\\ude00\\ud800","\\n\\t\\"\\\\\\/","é☃😀",""],"\\u0061b":{"__proto__":1,"10":3}}',
].map((text) => new TextEncoder().encode(text));
