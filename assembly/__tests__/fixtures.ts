/** Random numbers, guarded memory and step records for the specs of the kernels. */
import { STEP_BYTES } from "../abi";
import { MatmulStep } from "../steps";

/** xorshift32 (Marsaglia 2003): the same cases in every run. */
export class Random {
  private state: u32;

  constructor(seed: u32) {
    this.state = seed * 2654435761 + 1013904223;
    if (this.state == 0) this.state = 1;
  }

  next(): u32 {
    let s = this.state;
    s ^= s << 13;
    s ^= s >> 17;
    s ^= s << 5;
    this.state = s;
    return s;
  }

  /** An integer in [low, high]. */
  between(low: i32, high: i32): i32 {
    return low + <i32>(this.next() % <u32>(high - low + 1));
  }

  /** A float in [-1, 1). */
  signed(): f32 {
    return <f32>(<i32>this.next()) / 2147483648.0;
  }

  /** The bits of a finite f16: any sign, subnormals and zeros among them. */
  f16(): u16 {
    const bits = this.next() >> 7;
    return <u16>((bits & 0x7c00) == 0x7c00 ? bits ^ 0x4000 : bits);
  }
}

const GUARD_BYTES: i32 = 64;
const GUARD: u8 = 0xa5;

/** Bytes with a guard on either side; all of it starts as the guard pattern. */
export class Guarded {
  readonly at: usize;
  private base: usize;
  private bytes: i32;

  constructor(bytes: i32) {
    this.bytes = bytes;
    this.base = heap.alloc(bytes + 2 * GUARD_BYTES);
    this.at = this.base + GUARD_BYTES;
    memory.fill(this.base, GUARD, bytes + 2 * GUARD_BYTES);
  }

  /** Whether nothing was written outside. */
  intact(): bool {
    return isGuard(this.base, GUARD_BYTES) && isGuard(this.at + this.bytes, GUARD_BYTES);
  }

  free(): void {
    heap.free(this.base);
  }
}

/** A step record whose fields are all zero. Free it with {@link freeStep}. */
export function newStep<T>(): T {
  const at = heap.alloc(STEP_BYTES);
  memory.fill(at, 0, STEP_BYTES);
  return changetype<T>(at);
}

export function freeStep<T>(step: T): void {
  heap.free(changetype<usize>(step));
}

/** The rows of activations and of results at which matmuls begin in the specs. */
export const INPUT: usize = 1;
export const OUTPUT: usize = 2;

/** Moves the activations and results of a matmul so that the first rows of their arrays are INPUT and OUTPUT. */
export function shiftRows(step: MatmulStep): void {
  step.act -= INPUT * step.actRowBytes;
  step.actScale -= INPUT * step.scaleRowBytes;
  step.actSum -= INPUT * step.scaleRowBytes;
  step.y -= OUTPUT * step.yStride * 4;
}

/** Whether `bytes` bytes still hold the guard pattern. */
export function isGuard(at: usize, bytes: i32): bool {
  for (let i = 0; i < bytes; i++) {
    if (load<u8>(at + i) != GUARD) return false;
  }
  return true;
}

/** Bytes in which two buffers differ. */
export function differing(a: usize, b: usize, bytes: i32): i32 {
  let count = 0;
  for (let i = 0; i < bytes; i++) {
    if (load<u8>(a + i) != load<u8>(b + i)) count++;
  }
  return count;
}

/** Where the cases go to extremes: random values, or every value at one end. */
export const RANDOM: i32 = 0;
export const ALL_HIGH: i32 = 1;
export const ALL_LOW: i32 = 2;
export const ENDS: i32 = 3;
/** Activations only: near zero, mostly zero, all zero, of every magnitude. Weights of these kinds are random. */
export const SMALL: i32 = 4;
export const SPARSE: i32 = 5;
export const ZERO: i32 = 6;
export const MIXED: i32 = 7;

/** Fills i16[count] with integers of |q| <= max. */
export function fillActivations(q: usize, count: i32, max: i32, kind: i32, random: Random): void {
  for (let i = 0; i < count; i++) {
    let v = random.between(-max, max);
    if (kind == ALL_HIGH) v = max;
    if (kind == ALL_LOW) v = -max;
    if (kind == ENDS) v = v < 0 ? -max : max;
    if (kind == SMALL) v %= 3;
    if (kind == MIXED) v /= 1 << random.between(0, 7);
    if (kind == ZERO || (kind == SPARSE && random.between(0, 9) < 7)) v = 0;
    store<i16>(q + ((<usize>i) << 1), <i16>v);
  }
}

/** Fills u8[count] with codes 0..max. */
export function fillCodes(codes: usize, count: i32, max: i32, kind: i32, random: Random): void {
  for (let i = 0; i < count; i++) {
    let v = random.between(0, max);
    if (kind == ALL_HIGH) v = max;
    if (kind == ALL_LOW) v = 0;
    if (kind == ENDS) v = v * 2 > max ? max : 0;
    store<u8>(codes + <usize>i, <u8>v);
  }
}
