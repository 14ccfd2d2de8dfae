/**
 * Partitions of the 256 bytes, each kept once: most nodes of a grammar distinguish the same few sets of bytes.
 *
 * @module
 */

/** A partition, or with two classes a set. */
export interface ByteClasses {
  readonly id: number;
  /** The class of each byte. */
  readonly classes: Uint8Array;
  /** All bytes are in class 0. */
  readonly isEmpty: boolean;
}

export class ByteSets {
  readonly #known = new Map<string, ByteClasses>();
  readonly #singles: (ByteClasses | undefined)[] = [];

  /** The one object for these classes; keeps a copy. */
  shared(classes: Uint8Array): ByteClasses {
    const key = String.fromCharCode.apply(null, classes as unknown as number[]);
    let found = this.#known.get(key);
    if (found === undefined) {
      found = {
        id: this.#known.size,
        classes: classes.slice(),
        isEmpty: classes.every((byteClass) => byteClass === 0),
      };
      this.#known.set(key, found);
    }
    return found;
  }

  /** The set of one byte. */
  single(byte: number): ByteClasses {
    return (this.#singles[byte] ??= this.shared(new Uint8Array(256).fill(1, byte, byte + 1)));
  }
}
