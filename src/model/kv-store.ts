/**
 * The bytes of the KV cache's pages and of states: copied within the cache, out of it, and into it.
 *
 * @module
 */
import { KV_PAGE_POSITIONS } from "../../assembly/abi.ts";
import { type ByteRange, clearPositions, pageBytes, pageRanges } from "../kernels/attention-cache.ts";
import type { KvType } from "../kernels/choices.ts";
import { createHash } from "../kernels/hash.ts";
import type { Machine } from "../kernels/machine.ts";
import type { KvStore } from "./engine-interface.ts";
import type { MemoryPlan } from "./plan.ts";

export class PlacedKvStore implements KvStore {
  readonly fingerprint: bigint;
  readonly kvType: KvType;
  readonly pageBytes: number;
  readonly pagePositions = KV_PAGE_POSITIONS;
  readonly stateBytes: number;
  readonly #machine: () => Machine;
  readonly #plan: MemoryPlan;

  /** @param machine throws once the model is closed */
  constructor(machine: () => Machine, plan: MemoryPlan, fingerprint: bigint) {
    this.#machine = machine;
    this.#plan = plan;
    this.fingerprint = fingerprint;
    this.kvType = plan.options.kvType;
    this.pageBytes = pageBytes(this.kvType, plan.kv.heads, plan.kv.layers.length);
    this.stateBytes = plan.kv.states.layers.length * plan.kv.states.layerBytes;
  }

  copyPage(from: number, to: number): void {
    const memory = this.#bytes(),
      targets = this.#rangesOf(to);
    this.#rangesOf(from).forEach(({ at, bytes }, i) => memory.copyWithin(targets[i]!.at, at, at + bytes));
  }

  readPage(page: number, length: number, into: Uint8Array): void {
    this.#read(this.#rangesOf(page), into);
    clearPositions(this.kvType, this.#plan.kv.heads.headDim, into, length);
  }

  writePage(page: number, bytes: Uint8Array): void {
    this.#write(this.#rangesOf(page), bytes);
  }

  readState(state: number, into: Uint8Array): void {
    this.#read(this.#stateRanges(state), into);
  }

  writeState(state: number, bytes: Uint8Array): void {
    this.#write(this.#stateRanges(state), bytes);
  }

  hash(bytes: Uint8Array, position: number): bigint {
    const { kernels, memory } = this.#machine(),
      { vector, nMax } = this.#plan.numeric;
    return createHash(kernels, memory, { window: vector, windowBytes: nMax * 4 })(bytes, position);
  }

  #read(ranges: readonly ByteRange[], into: Uint8Array): void {
    const memory = this.#bytes();
    let to = 0;
    for (const { at, bytes } of ranges) {
      into.set(memory.subarray(at, at + bytes), to);
      to += bytes;
    }
  }

  #write(ranges: readonly ByteRange[], bytes: Uint8Array): void {
    const memory = this.#bytes();
    let from = 0;
    for (const range of ranges) {
      memory.set(bytes.subarray(from, from + range.bytes), range.at);
      from += range.bytes;
    }
  }

  #stateRanges(state: number): ByteRange[] {
    const { layers, layerBytes: bytes } = this.#plan.kv.states;
    return layers.map((at) => ({ at: at + state * bytes, bytes }));
  }

  #bytes(): Uint8Array {
    return new Uint8Array(this.#machine().memory.buffer);
  }

  #rangesOf(page: number): ByteRange[] {
    const { heads, layers } = this.#plan.kv;
    return layers.flatMap((layer) => pageRanges(this.kvType, heads, layer, page));
  }
}
