/**
 * Safetensors: one file, or a model sharded over several.
 *
 * Source: the safetensors format description (huggingface/safetensors README). A file is
 *
 *     u64 header bytes | JSON { name: { dtype, shape, data_offsets: [begin, end) } } | data
 *
 * As the format demands, tensors cover the data exactly: no hole, no overlap, nothing after the last.
 *
 * @module
 */
import type { ByteSource } from "../core/byte-source.ts";
import { readBytes } from "../core/byte-source.ts";
import { fail, quoted } from "../core/errors.ts";
import {
  SAFETENSORS_HEADER_BYTES_MAX,
  SAFETENSORS_BYTES_PER_TENSOR,
  SAFETENSORS_METADATA_MAX,
  SAFETENSORS_TENSORS_BESIDE,
  SAFETENSORS_NAME_BYTES_MAX,
  TENSORS_MAX,
} from "../core/limits.ts";
import type { TensorInfo, TensorPlace } from "./gguf.ts";
import { isJsonObject, parseJsonObject } from "./json.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { TENSOR_TYPES, tensorBytes } from "./tensor-types.ts";
import type { TensorTypeName } from "./tensor-types.ts";

export interface SafetensorsHeader {
  /** The strings under `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of the data. */
  readonly tensors: readonly TensorPlace[];
}

/** The dtypes of the format that we list; our names for them are the same. */
export const SAFETENSORS_TYPES = [
  "F64",
  "F32",
  "F16",
  "BF16",
  "I64",
  "I32",
  "I16",
  "I8",
  "U64",
  "U32",
  "U16",
  "U8",
  "BOOL",
  "F8_E4M3",
  "F8_E5M2",
] as const satisfies readonly TensorTypeName[];
export type SafetensorsTypeName = (typeof SAFETENSORS_TYPES)[number];

const DTYPES: ReadonlyMap<string, TensorTypeName> = new Map(SAFETENSORS_TYPES.map((name) => [name, name]));

/** Bytes before the JSON. */
const LENGTH_BYTES = 8;
/** dtype, shape and data_offsets, and the tensor's own key. */
const MEMBERS_MAX = TENSORS_MAX * 4 + SAFETENSORS_METADATA_MAX;
/** Safetensors allows any number; numpy and torch stop at 64. */
const DIMS_MAX = 64;

/**
 * Bytes from the file's start to the end of its header.
 * @param start the first 8 bytes, or fewer when the file has fewer
 */
function safetensorsHeaderBytes(start: Uint8Array, fileSizeBytes: number): number {
  if (fileSizeBytes < LENGTH_BYTES || start.length < LENGTH_BYTES) {
    fail("safetensors/truncated", `header: wanted at least ${LENGTH_BYTES} bytes, the file has ${fileSizeBytes}`);
  }
  const view = new DataView(start.buffer, start.byteOffset, LENGTH_BYTES);
  const jsonBytes = view.getUint32(4, true) * 4294967296 + view.getUint32(0, true);
  if (jsonBytes > SAFETENSORS_HEADER_BYTES_MAX) {
    fail(
      "safetensors/limit",
      `header: ${jsonBytes} bytes of JSON, the limit is ${SAFETENSORS_HEADER_BYTES_MAX}; this may be no ` +
        "safetensors file",
    );
  }
  if (LENGTH_BYTES + jsonBytes > fileSizeBytes) {
    fail(
      "safetensors/truncated",
      `header: ends at byte ${LENGTH_BYTES + jsonBytes}, the file has ${fileSizeBytes}; download or copy it again`,
    );
  }
  return LENGTH_BYTES + jsonBytes;
}

/**
 * Parses the header of a safetensors file.
 *
 * @param head the file from its first byte, at least to the end of the JSON
 * @returns tensors with shape[0] contiguous, as in GGUF: the reverse of the file's order
 * @throws OnebitError `safetensors/…`
 */
export function parseSafetensors(head: Uint8Array, fileSizeBytes: number = head.length): SafetensorsHeader {
  const headerBytes = safetensorsHeaderBytes(head, fileSizeBytes);
  if (head.length < headerBytes)
    fail("safetensors/truncated", `header: wanted ${headerBytes} bytes, found ${head.length}`);
  const json = head.subarray(LENGTH_BYTES, headerBytes);
  if (json[0] !== 0x7b) fail("safetensors/bad-header", 'header: its JSON must start with "{"');
  const parsed = parseJsonObject(json, MEMBERS_MAX);
  if ("problem" in parsed) {
    const codes = {
      limit: "safetensors/limit",
      syntax: "safetensors/bad-header",
      duplicate: "safetensors/duplicate",
    } as const;
    fail(codes[parsed.problem.kind], `header: ${parsed.problem.message}`);
  }
  const metadata = new Map<string, string>();
  const tensors: TensorPlace[] = [];
  const names = Object.keys(parsed.value),
    most = SAFETENSORS_TENSORS_BESIDE + fileSizeBytes / SAFETENSORS_BYTES_PER_TENSOR;
  if (names.length > most)
    fail(
      "safetensors/limit",
      `header: ${names.length} tensors in a file of ${fileSizeBytes} bytes, the limit is ${Math.floor(most)}`,
    );
  for (const name of names) {
    const value = parsed.value[name];
    if (name === "__metadata__") readMetadata(value, metadata);
    else tensors.push(readTensor(name, value, headerBytes, fileSizeBytes));
  }
  if (tensors.length > TENSORS_MAX)
    fail("safetensors/limit", `header: ${tensors.length} tensors, the limit is ${TENSORS_MAX}`);
  tensors.sort((a, b) => a.position - b.position || a.sizeBytes - b.sizeBytes);
  requireCovered(tensors, headerBytes, fileSizeBytes);
  return { metadata, tensors };
}

function readMetadata(value: JsonValue | undefined, metadata: Map<string, string>): void {
  if (!isJsonObject(value)) fail("safetensors/bad-header", "__metadata__: wanted an object of strings");
  const entries = Object.entries(value);
  if (entries.length > SAFETENSORS_METADATA_MAX)
    fail("safetensors/limit", `__metadata__: ${entries.length} members, the limit is ${SAFETENSORS_METADATA_MAX}`);
  for (const [key, item] of entries) {
    if (typeof item !== "string") fail("safetensors/bad-header", `__metadata__: ${quoted(key)} is no string`);
    metadata.set(key, item);
  }
}

function readTensor(
  name: string,
  value: JsonValue | undefined,
  dataPosition: number,
  fileSizeBytes: number,
): TensorPlace {
  const where = `tensor ${quoted(name)}`;
  if (name.length > SAFETENSORS_NAME_BYTES_MAX)
    fail("safetensors/limit", `${where}: its name has ${name.length} characters`);
  if (!isJsonObject(value))
    fail("safetensors/bad-header", `${where}: wanted an object with dtype, shape and data_offsets`);
  const { dtype } = value,
    type = typeof dtype === "string" ? DTYPES.get(dtype) : undefined;
  if (type === undefined) {
    fail(
      "tensor/unsupported-type",
      `${where}: dtype ${quoted(JSON.stringify(dtype) ?? "none")} is not supported; convert it to BF16`,
    );
  }
  const shape = readSizes(value, "shape", where);
  const [begin, end, ...more] = readSizes(value, "data_offsets", where);
  if (begin === undefined || end === undefined || more.length > 0 || end < begin) {
    fail("safetensors/bad-tensor", `${where}: data_offsets must be a begin and an end after it`);
  }
  if (dataPosition + end > fileSizeBytes) {
    fail(
      "safetensors/tensor-outside-file",
      `${where}: ends at byte ${dataPosition + end}, the file has ${fileSizeBytes}; download or copy it again`,
    );
  }
  const wantedBytes = sizeOf(type, shape, where);
  if (end - begin !== wantedBytes) {
    fail(
      "safetensors/bad-tensor",
      `${where}: ${type} [${shape.join(", ")}] has ${wantedBytes} bytes, its data_offsets span ${end - begin}`,
    );
  }
  // A scalar has no dimension in the file, and one of extent 1 here.
  const extents = shape.length === 0 ? [1] : shape.reverse();
  return { name, type, shape: extents, position: dataPosition + begin, sizeBytes: wantedBytes };
}

/** The array of non-negative integers at `key`. */
function readSizes(value: JsonObject, key: string, where: string): number[] {
  const sizes = value[key];
  const valid =
    Array.isArray(sizes) &&
    sizes.length <= DIMS_MAX &&
    sizes.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
  if (!valid)
    fail("safetensors/bad-tensor", `${where}: ${key} must be an array of at most ${DIMS_MAX} non-negative integers`);
  return [...sizes] as number[];
}

function sizeOf(type: TensorTypeName, shape: readonly number[], where: string): number {
  let elements = 1;
  for (const extent of shape) {
    if (extent > 0 && elements > Number.MAX_SAFE_INTEGER / extent)
      fail("safetensors/bad-tensor", `${where}: its shape overflows`);
    elements *= extent;
  }
  return tensorBytes(TENSOR_TYPES[type], elements) ?? fail("safetensors/bad-tensor", `${where}: its size overflows`);
}

/** Every byte of the data belongs to exactly one tensor; otherwise one file could be two things at once. */
function requireCovered(tensors: readonly TensorPlace[], dataPosition: number, fileSizeBytes: number): void {
  let free = dataPosition;
  for (const tensor of tensors) {
    if (tensor.position !== free) {
      const what = tensor.position < free ? "overlaps the tensor before it" : "leaves a hole before it";
      fail(
        "safetensors/bad-tensor",
        `tensor ${quoted(tensor.name)}: starts at byte ${tensor.position}, wanted ${free}: it ${what}`,
      );
    }
    free += tensor.sizeBytes;
  }
  if (free !== fileSizeBytes) {
    fail(
      "safetensors/bad-tensor",
      `the tensors end at byte ${free}, the file has ${fileSizeBytes}; its rest belongs to no tensor`,
    );
  }
}

/** The tensors of one or more safetensors files, by name. */
export async function openSafetensors(sources: readonly ByteSource[]): Promise<Map<string, TensorInfo>> {
  const tensors = new Map<string, TensorInfo>();
  for (const source of sources) {
    const { tensors: places } = await readHeader(source);
    for (const place of places) {
      if (tensors.has(place.name))
        fail("safetensors/duplicate", `tensor ${quoted(place.name)}: appears in two files, one is ${source.name}`);
      tensors.set(place.name, { ...place, source });
    }
  }
  return tensors;
}

async function readHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const start = await readBytes(source, 0, Math.min(LENGTH_BYTES, source.sizeBytes));
  const headerBytes = safetensorsHeaderBytes(start, source.sizeBytes);
  return parseSafetensors(await readBytes(source, 0, headerBytes), source.sizeBytes);
}
