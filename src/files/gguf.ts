/**
 * GGUF, versions 2 and 3, little-endian: one file, or a model split over several.
 *
 * Source: the GGUF specification (ggml `docs/gguf.md`). A file is
 *
 *     u32 "GGUF" | u32 version | u64 number of tensors | u64 number of keys | keys | tensor table | pad | data
 *
 * `parseGguf` is pure and checks every count and size against the file's real size before it takes memory.
 *
 * @module
 */
import type { ByteSource } from "../core/byte-source.ts";
import { readBytes } from "../core/byte-source.ts";
import { fail } from "../core/errors.ts";
import {
  GGUF_ALIGNMENT_MAX,
  GGUF_FIRST_READ_BYTES,
  GGUF_HEADER_BYTES_MAX,
  GGUF_KEYS_MAX,
  TENSORS_MAX,
} from "../core/limits.ts";
import { findInteger, readMetadata, skipMetadata } from "./gguf-metadata.ts";
import type { GgufMetadata, GgufValue } from "./gguf-metadata.ts";
import { GgufReader, HeadTooShort } from "./gguf-reader.ts";
import { padTo, placeTensors, readTensorRows, skipTensorRows } from "./gguf-tensors.ts";
import type { TensorPlace } from "./gguf-tensors.ts";

export type { GgufMetadata, GgufValue } from "./gguf-metadata.ts";
export type { TensorPlace } from "./gguf-tensors.ts";

/** "GGUF" as a little-endian u32. */
export const GGUF_MAGIC = 0x46554747;
export const GGUF_ALIGNMENT_DEFAULT = 32;

/** What the head of one file says. */
export interface GgufHeader {
  readonly version: number;
  readonly metadata: Map<string, GgufValue>;
  /** In the order of the file. */
  readonly tensors: readonly TensorPlace[];
  readonly alignment: number;
  /** Where the data section starts, in bytes. */
  readonly dataPosition: number;
}

/** A tensor and the file it is in. */
export interface TensorInfo extends TensorPlace {
  readonly source: ByteSource;
}

export interface GgufFile {
  readonly version: number;
  readonly metadata: GgufMetadata;
  /** By name, in the order of the file, all shards together. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly alignment: number;
  /** The files that hold the tensors; the caller closes them. */
  readonly sources: readonly ByteSource[];
}

/**
 * Parses the header of a GGUF file.
 *
 * @param head the file from its first byte, at least to the end of the tensor table
 * @throws OnebitError `gguf/…`, `tensor/unsupported-type`
 * @throws HeadTooShort when `head` ends before the header but the file does not
 */
export function parseGguf(head: Uint8Array, fileSizeBytes: number = head.length): GgufHeader {
  // Walk first: values are made once the whole header is at hand, not again for every piece fetched.
  if (head.length < fileSizeBytes) walkHeader(new GgufReader(head, fileSizeBytes));
  const reader = new GgufReader(head, fileSizeBytes);
  const version = readVersion(reader);
  const nTensors = reader.size();
  const nKeys = reader.size();
  const metadata = readMetadata(reader, nKeys);
  const alignment = alignmentOf(metadata);
  const rows = readTensorRows(reader, nTensors);
  const dataPosition = padTo(reader.position, alignment);
  if (rows.length > 0 && dataPosition > fileSizeBytes) {
    fail(
      "gguf/truncated",
      `header: data starts at byte ${dataPosition}, the file has ${fileSizeBytes}; download or copy it again`,
    );
  }
  const tensors = placeTensors(rows, dataPosition, fileSizeBytes, alignment);
  return { version, metadata, tensors, alignment, dataPosition };
}

/** Goes to the end of the header and keeps nothing; parsing reports what is wrong with it. @throws HeadTooShort */
function walkHeader(reader: GgufReader): void {
  try {
    readVersion(reader);
    const nTensors = reader.size(),
      nKeys = reader.size();
    if (nTensors <= TENSORS_MAX && nKeys <= GGUF_KEYS_MAX && skipMetadata(reader, nKeys))
      skipTensorRows(reader, nTensors);
  } catch (error) {
    if (error instanceof HeadTooShort) throw error;
  }
}

function readVersion(reader: GgufReader): number {
  reader.where = "header";
  const magic = reader.u32();
  if (magic !== GGUF_MAGIC) {
    const hex = magic.toString(16).padStart(8, "0");
    fail("gguf/bad-magic", `header: wanted the magic "GGUF" (0x46554747), found 0x${hex}; this is not a GGUF file`);
  }
  const version = reader.u32();
  if (version === 2 || version === 3) return version;
  // Versions are small: only a byte-swapped one has an empty low half.
  if (version !== 0 && (version & 0xffff) === 0) {
    fail(
      "gguf/unsupported-version",
      "header: the file is big-endian; convert it to little-endian (gguf-convert-endian)",
    );
  }
  return fail(
    "gguf/unsupported-version",
    `header: version ${version}, wanted 2 or 3; convert the model again with a current tool`,
  );
}

function alignmentOf(metadata: GgufMetadata): number {
  const alignment = findInteger(metadata, "general.alignment") ?? GGUF_ALIGNMENT_DEFAULT;
  const powerOfTwo = alignment > 0 && Number.isInteger(Math.log2(alignment));
  if (!powerOfTwo || alignment > GGUF_ALIGNMENT_MAX) {
    fail(
      "gguf/bad-value",
      `metadata key "general.alignment": wanted a power of two up to ${GGUF_ALIGNMENT_MAX}, found ${alignment}`,
    );
  }
  return alignment;
}

/** Reads and parses the header of one file, fetching little beyond it. */
export async function readGguf(source: ByteSource): Promise<GgufFile> {
  const { version, metadata, tensors, alignment } = await readHeader(source);
  const infos = new Map<string, TensorInfo>();
  for (const place of tensors) infos.set(place.name, { ...place, source });
  return { version, metadata, tensors: infos, alignment, sources: [source] };
}

async function readHeader(source: ByteSource): Promise<GgufHeader> {
  let head = await readBytes(source, 0, Math.min(source.sizeBytes, GGUF_FIRST_READ_BYTES));
  for (;;) {
    try {
      return parseGguf(head, source.sizeBytes);
    } catch (error) {
      if (!(error instanceof HeadTooShort)) throw error;
      head = await readOn(source, head, error.wantedBytes);
    }
  }
}

/**
 * Reads on to at least `wantedBytes`, and to twice the head so far, so it overshoots by at most the header's length.
 * Growing sixteenfold read 17 MB for TriLM 99M's header of 2.6 MB, twice, in an isolate of 128 MB.
 */
async function readOn(source: ByteSource, head: Uint8Array, wantedBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const longer = new Uint8Array(
    Math.min(Math.max(wantedBytes, head.length * 2), source.sizeBytes, GGUF_HEADER_BYTES_MAX),
  );
  longer.set(head);
  await source.read(longer.subarray(head.length), head.length);
  return longer;
}
