/**
 * Allocates blocks in a growing memory: first fit among the gaps, else at the end.
 *
 * @module
 */
import { fail } from "../core/errors.ts";

const ALIGNMENT_BYTES = 64;

interface Block {
  readonly begin: number;
  readonly end: number;
}

export class BlockAllocator {
  readonly #first: number;
  readonly #limitBytes: number;
  /** In order of address. */
  readonly #used: Block[] = [];

  constructor(first: number, limitBytes: number) {
    this.#first = roundUp(first);
    this.#limitBytes = limitBytes;
  }

  /** End of the last block. */
  get endBytes(): number {
    return this.#used.at(-1)?.end ?? this.#first;
  }

  /** Bytes of all blocks. */
  get takenBytes(): number {
    return this.#used.reduce((sum, { begin, end }) => sum + end - begin, 0);
  }

  /** @throws OnebitError `train/not-enough-memory` when it would end beyond the limit */
  allocate(bytes: number, what: string): number {
    const size = roundUp(Math.max(1, bytes));
    let begin = this.#first,
      at = 0;
    for (; at < this.#used.length && this.#used[at].begin - begin < size; at++) begin = this.#used[at].end;
    if (begin + size > this.#limitBytes) {
      fail(
        "train/not-enough-memory",
        `${what}: wanted ${(bytes / 1e9).toFixed(3)} GB, ${((this.#limitBytes - begin) / 1e9).toFixed(3)} GB are ` +
          "left; use a smaller batch, sequence or model",
      );
    }
    this.#used.splice(at, 0, { begin, end: begin + size });
    return begin;
  }

  free(address: number): void {
    const at = this.#used.findIndex(({ begin }) => begin === address);
    if (at >= 0) this.#used.splice(at, 1);
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}
