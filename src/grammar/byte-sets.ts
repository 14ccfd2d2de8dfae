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

/** The common refinement of two partitions: classes of bytes, and which two each comes from. */
export interface Refined {
  readonly classes: Uint8Array;
  readonly pairs: readonly { readonly left: number; readonly right: number }[];
}

/** Refinements kept: a grammar has a few dozen partitions. */
const REFINED_MAX = 4096;

export class ByteSets {
  /** By a hash; few share one. */
  readonly #known = new Map<number, ByteClasses[]>();
  readonly #singles: (ByteClasses | undefined)[] = [];
  /** By the two partitions, of which each is one object. */
  #refined = new Map<Uint8Array, Map<Uint8Array, Refined>>();
  #nRefined = 0;
  #nextId = 0;

  /** The one object for these classes; keeps a copy. */
  shared(classes: Uint8Array): ByteClasses {
    const hash = hashOf(classes);
    let bucket = this.#known.get(hash);
    if (bucket === undefined) this.#known.set(hash, (bucket = []));
    let found = bucket.find((known) => areEqual(known.classes, classes));
    if (found === undefined) {
      const isEmpty = classes.every((byteClass) => byteClass === 0);
      bucket.push((found = { id: this.#nextId++, classes: classes.slice(), isEmpty }));
    }
    return found;
  }

  /** The common refinement of the classes of two {@link ByteClasses}; its classes are of one too. */
  refined(left: Uint8Array, right: Uint8Array): Refined {
    let ofLeft = this.#refined.get(left);
    const known = ofLeft?.get(right);
    if (known !== undefined) return known;
    if (++this.#nRefined > REFINED_MAX) {
      this.#refined.clear();
      this.#nRefined = 1;
      ofLeft = undefined;
    }
    if (ofLeft === undefined) this.#refined.set(left, (ofLeft = new Map()));
    const refined = this.#refine(left, right);
    ofLeft.set(right, refined);
    return refined;
  }

  #refine(left: Uint8Array, right: Uint8Array): Refined {
    const classes = new Uint8Array(256),
      pairs: { left: number; right: number }[] = [],
      known = new Map<number, number>();
    for (let byte = 0; byte < 256; byte++) {
      const pair = left[byte] * 256 + right[byte];
      let at = known.get(pair);
      if (at === undefined) known.set(pair, (at = pairs.push({ left: left[byte], right: right[byte] }) - 1));
      classes[byte] = at;
    }
    return { classes: this.shared(classes).classes, pairs };
  }

  /** The set of one byte. */
  single(byte: number): ByteClasses {
    return (this.#singles[byte] ??= this.shared(new Uint8Array(256).fill(1, byte, byte + 1)));
  }
}

/** FNV-1a over 32 bits. */
function hashOf(classes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let byte = 0; byte < 256; byte++) hash = Math.imul(hash ^ classes[byte], 0x01000193);
  return hash;
}

function areEqual(left: Uint8Array, right: Uint8Array): boolean {
  for (let byte = 0; byte < 256; byte++) if (left[byte] !== right[byte]) return false;
  return true;
}
