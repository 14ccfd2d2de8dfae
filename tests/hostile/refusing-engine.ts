/**
 * An engine that refuses memory: each allocation is counted, and the one that is asked for throws what V8 throws.
 * Import this before anything that keeps a constructor for itself.
 */

/** Allocations below this are none that a system refuses one by one. Views of memory that is there are not counted. */
const COUNTED_BYTES = 16;

let count = 0,
  refusedAt = -1;

/** Runs `run` with its `at`-th allocation refused, counted from 0; −1 for none. @returns how many there were */
export async function refusing(at: number, run: () => Promise<void>): Promise<number> {
  count = 0;
  refusedAt = at;
  try {
    await run();
  } finally {
    refusedAt = -1;
  }
  return count;
}

function take(message: string): void {
  if (count++ === refusedAt) throw new RangeError(message);
}

const ARRAYS = [
  "Float32Array",
  "Float64Array",
  "Int8Array",
  "Uint8Array",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
] as const;
type Constructor = new (...args: unknown[]) => object;

function guard(owner: object, name: string, isCounted: (args: readonly unknown[]) => boolean, message: string): void {
  const original = Reflect.get(owner, name) as Constructor,
    guarded: Constructor = new Proxy(original, {
      construct(target, args: unknown[], newTarget: Constructor) {
        if (isCounted(args)) take(message);
        return Reflect.construct(target, args, newTarget === guarded ? target : newTarget) as object;
      },
    });
  Reflect.set(owner, name, guarded);
}

for (const name of ARRAYS) {
  const { BYTES_PER_ELEMENT } = globalThis[name];
  guard(
    globalThis,
    name,
    ([from]) =>
      typeof from === "number"
        ? from * BYTES_PER_ELEMENT >= COUNTED_BYTES
        : typeof from === "object" &&
          from !== null &&
          !(from instanceof ArrayBuffer) &&
          !(from instanceof SharedArrayBuffer),
    "Array buffer allocation failed",
  );
}
const { prototype } = Object.getPrototypeOf(Uint8Array) as { prototype: Uint8Array },
  { slice } = prototype;
prototype.slice = function (...range) {
  take("Array buffer allocation failed");
  return slice.apply(this, range);
};
for (const name of ["ArrayBuffer", "SharedArrayBuffer"])
  guard(globalThis, name, () => true, "Array buffer allocation failed");
guard(WebAssembly, "Memory", () => true, "WebAssembly.Memory(): could not allocate memory");
guard(
  WebAssembly,
  "Instance",
  () => true,
  "WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance",
);
guard(WebAssembly, "Module", () => true, "WebAssembly.Module(): Out of memory: wasm memory");
const { grow } = WebAssembly.Memory.prototype;
WebAssembly.Memory.prototype.grow = function (pages) {
  take("WebAssembly.Memory.grow(): Unable to grow instance memory");
  return grow.call(this, pages);
};
for (const name of ["compile", "instantiate"] as const) {
  const original = WebAssembly[name] as (...args: unknown[]) => Promise<unknown>;
  Reflect.set(WebAssembly, name, async (...args: unknown[]) => {
    take(`WebAssembly.${name}(): Out of memory: Cannot allocate Wasm memory for new instance`);
    return await original.apply(WebAssembly, args);
  });
}
