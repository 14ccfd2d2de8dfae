/** Seeded damage to bytes, and the checks that every parser of hostile bytes must pass. */
import assert from "node:assert/strict";
import { OnebitError } from "../../src/core/errors.ts";

/** How many mutated files a test tries: 20,000 in `npm test`, a million in the full run. */
export const FUZZ_FILES = Number(process.env["ONEBIT_FUZZ"] ?? 20_000);

/** Uniform in [0, 1), the same on every machine (mulberry32, public domain, T. Ettinger). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Where counts, lengths and offsets break: around zero, signs, word sizes and exact doubles. */
const EDGES: readonly bigint[] = [
  0n,
  1n,
  2n,
  7n,
  8n,
  31n,
  32n,
  33n,
  41n,
  42n,
  63n,
  64n,
  127n,
  128n,
  255n,
  256n,
  65_535n,
  65_536n,
  2n ** 30n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** A damaged copy of one of `seeds`: one to four edits of bytes, numbers, ranges, or grafts from another seed. */
export function mutate(seeds: readonly Uint8Array[], random: () => number): Uint8Array {
  const pick = (below: number): number => Math.floor(random() * below);
  let bytes: Uint8Array = seeds[pick(seeds.length)]!.slice();
  const nEdits = 1 + pick(4);
  for (let edit = 0; edit < nEdits && bytes.length > 0; edit++) {
    const at = pick(bytes.length);
    const length = Math.min(1 + pick(24), bytes.length - at);
    switch (pick(8)) {
      case 0:
        bytes[at] = bytes[at]! ^ (1 << pick(8));
        break;
      case 1:
        bytes[at] = pick(256);
        break;
      case 2:
      case 3:
        writeNumber(bytes, at, EDGES[pick(EDGES.length)]!, random() < 0.5 ? 8 : 4);
        break;
      case 4:
        bytes = splice(bytes, at, length, new Uint8Array());
        break;
      case 5:
        bytes = splice(bytes, at, 0, bytes.slice(pick(bytes.length)).subarray(0, 64));
        break;
      case 6: {
        const donor = seeds[pick(seeds.length)]!;
        const from = pick(donor.length);
        bytes = splice(bytes, at, length, donor.subarray(from, from + 1 + pick(200)));
        break;
      }
      default:
        bytes = bytes.slice(0, random() < 0.3 ? at : bytes.length - pick(16));
    }
  }
  return bytes;
}

function splice(bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length - removed + inserted.length);
  result.set(bytes.subarray(0, at));
  result.set(inserted, at);
  result.set(bytes.subarray(at + removed), at + inserted.length);
  return result;
}

function writeNumber(bytes: Uint8Array, at: number, value: bigint, lengthBytes: number): void {
  for (let i = 0; i < lengthBytes && at + i < bytes.length; i++)
    bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n);
}

/**
 * A file may take 50 ms and 10 ms a megabyte; a busy machine gets three more tries to show that it was not the file.
 */
const FILE_MS_MAX = 50;
const RETRIES = 3;

export interface FuzzCounts {
  parsed: number;
  /** Refused files by error code. */
  readonly refused: Map<string, number>;
}

/**
 * Parses `nFiles` mutated files. Each must parse to what `check` accepts, or throw an OnebitError, in bounded time.
 * @returns how many did which, so that a test can see that the mutations reached the parser's depths
 */
export function fuzz<Parsed>(
  seeds: readonly Uint8Array[],
  nFiles: number,
  parse: (bytes: Uint8Array) => Parsed,
  check: (parsed: Parsed, bytes: Uint8Array) => void,
): FuzzCounts {
  const random = seededRandom(1);
  const counts: FuzzCounts = { parsed: 0, refused: new Map() };
  for (let i = 0; i < nFiles; i++) {
    const bytes = mutate(seeds, random);
    const tries = [timed(() => parseOne(bytes, i, parse, check))];
    const limitMs = FILE_MS_MAX + bytes.length / 100_000;
    while (tries.at(-1)!.ms > limitMs && tries.length <= RETRIES)
      tries.push(timed(() => parseOne(bytes, i, parse, check)));
    assert.ok(tries.at(-1)!.ms <= limitMs, `file ${i} took ${tries.map(({ ms }) => ms)} ms: ${hex(bytes)}`);
    const { code } = tries[0]!;
    if (code === undefined) counts.parsed += 1;
    else counts.refused.set(code, (counts.refused.get(code) ?? 0) + 1);
  }
  return counts;
}

/** The error's code, or undefined when the file was parsed. */
function parseOne<Parsed>(
  bytes: Uint8Array,
  index: number,
  parse: (bytes: Uint8Array) => Parsed,
  check: (parsed: Parsed, bytes: Uint8Array) => void,
): string | undefined {
  let parsed: Parsed;
  try {
    parsed = parse(bytes);
  } catch (error) {
    if (error instanceof OnebitError && error.message.length > 10 && error.message.length < 1000) return error.code;
    return assert.fail(`file ${index} throws ${String(error).slice(0, 300)}: ${hex(bytes)}`);
  }
  check(parsed, bytes);
  return undefined;
}

function timed(run: () => string | undefined): { ms: number; code: string | undefined } {
  const begin = performance.now();
  const code = run();
  return { ms: performance.now() - begin, code };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 2000)).toString("hex");
}
