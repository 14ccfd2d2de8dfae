/** The arrays of one case of the specs of training: each with guards, checked and freed together. */
import { STEP_BYTES } from "../abi";
import { Guarded, Random } from "./fixtures";

export class Arrays {
  private all: Guarded[] = [];

  /** Bytes that hold the guard pattern. */
  room(bytes: i32): usize {
    const array = new Guarded(bytes);
    this.all.push(array);
    return array.at;
  }

  /** Bytes in which every four are a NaN, so that a read before a write shows. */
  poisoned(bytes: i32): usize {
    const at = this.room(bytes);
    memory.fill(at, 0xff, bytes);
    return at;
  }

  /** f32 (count) in ±size. */
  floats(count: i32, random: Random, size: f32): usize {
    const at = this.room(4 * count);
    for (let i = 0; i < count; i++) put(at, i, random.signed() * size);
    return at;
  }

  /** A step record whose fields are all zero. */
  step<T>(): T {
    const at = this.room(STEP_BYTES);
    memory.fill(at, 0, STEP_BYTES);
    return changetype<T>(at);
  }

  copy(from: usize, bytes: i32): usize {
    const at = this.room(bytes);
    memory.copy(at, from, bytes);
    return at;
  }

  /** Frees all; returns how many had something written beside them. */
  close(): i32 {
    let written = 0;
    for (let i = 0; i < this.all.length; i++) {
      if (!this.all[i].intact()) written++;
      this.all[i].free();
    }
    this.all = [];
    return written;
  }
}

export function get(x: usize, i: i32): f32 {
  return load<f32>(x + ((<usize>i) << 2));
}

export function put(x: usize, i: i32, value: f32): void {
  store<f32>(x + ((<usize>i) << 2), value);
}

/** Whether a value is NaN: as-pect's `toBe` and `==` say no. */
export function isNan(x: f32): bool {
  return x != x;
}
