/** How fast WebAssembly reads a model's weights when it does nothing else: the limit of a token's time. */
import { median } from "../train/median.ts";
import type { ProfiledModel } from "./model.ts";

/** GB/s of one thread reading in four streams; median of seven passes. */
export async function readBandwidth({ plan, memory }: Pick<ProfiledModel, "plan" | "memory">): Promise<number> {
  const read = await compile(memory);
  const begin = Math.min(...[...plan.matrices.values()].map(({ weightAt }) => weightAt)),
    streamBytes = Math.floor(plan.weightBytes / 4 / 64) * 64;
  return median(
    Array.from({ length: 7 }, () => {
      const started = performance.now();
      read(begin, streamBytes);
      return (4 * streamBytes) / (performance.now() - started) / 1e6;
    }),
  );
}

/** `read(at, n)`: the bytes of [at, at + 4n) OR-ed together, four streams n apart, 64 bytes of each in turn. */
async function compile(memory: WebAssembly.Memory): Promise<(at: number, streamBytes: number) => number> {
  const { default: wabt } = await import("wabt");
  const shared = typeof SharedArrayBuffer === "function" && memory.buffer instanceof SharedArrayBuffer;
  const accumulate = [0, 1, 2, 3].flatMap((stream) =>
    [0, 16, 32, 48].map(
      (offset) =>
        `(local.set $s${stream} (v128.or (local.get $s${stream}) (v128.load offset=${offset} (i32.add (local.get ` +
        `$at) (i32.mul (local.get $n) (i32.const ${stream}))))))`,
    ),
  );
  const source = `(module
    (import "env" "memory" (memory 1 65536${shared ? " shared" : ""}))
    (func (export "read") (param $at i32) (param $n i32) (result i32)
      (local $end i32) (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128)
      (local.set $end (i32.add (local.get $at) (local.get $n)))
      (loop $next ${accumulate.join(" ")}
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
      (i32x4.extract_lane 0 (v128.or
        (v128.or (local.get $s0) (local.get $s1))
        (v128.or (local.get $s2) (local.get $s3))))))`;
  const parsed = (await wabt()).parseWat("read.wat", source, { simd: true, threads: true });
  const { buffer } = parsed.toBinary({});
  const { instance } = await WebAssembly.instantiate(buffer as Uint8Array<ArrayBuffer>, { env: { memory } });
  return instance.exports.read as (at: number, streamBytes: number) => number;
}
