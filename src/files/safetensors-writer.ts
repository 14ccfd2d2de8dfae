/**
 * Writes one safetensors file as a stream. The format is drawn in `safetensors.ts`.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { ByteSink } from "./gguf-writer.ts";
import type { SafetensorsTypeName } from "./safetensors.ts";
import { TENSOR_TYPES, tensorBytes } from "./tensor-types.ts";

export interface SafetensorToWrite {
  readonly name: string;
  /** shape[0] is contiguous, as everywhere here; the file gets the reverse. */
  readonly shape: readonly number[];
  readonly type: SafetensorsTypeName;
  /** The bytes of the tensor in pieces of any size; called once. */
  readonly data: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/**
 * Writes a whole file and returns its size in bytes.
 * @throws OnebitError `safetensors/duplicate`, `safetensors/bad-tensor` when the tensors make no valid file
 */
export async function writeSafetensors(
  sink: ByteSink,
  tensors: readonly SafetensorToWrite[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<number> {
  const header = new Map<string, unknown>([["__metadata__", metadata]]);
  let dataBytes = 0;
  for (const tensor of tensors) {
    if (header.has(tensor.name)) fail("safetensors/duplicate", `tensor ${quoted(tensor.name)}: appears twice`);
    const end = dataBytes + sizeOf(tensor);
    header.set(tensor.name, { dtype: tensor.type, shape: [...tensor.shape].reverse(), data_offsets: [dataBytes, end] });
    dataBytes = end;
  }
  const members = [...header].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const json = new TextEncoder().encode(`{${members.join(",")}}`);
  // Spaces up to a multiple of 8, so that the data starts aligned.
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20);
  padded.set(json);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setUint32(0, padded.length, true);
  await sink.write(length);
  await sink.write(padded);
  for (const tensor of tensors) await writeTensor(sink, tensor);
  return length.length + padded.length + dataBytes;
}

function sizeOf(tensor: SafetensorToWrite): number {
  const elements = tensor.shape.reduce((product, extent) => product * extent, 1);
  const sizeBytes = tensorBytes(TENSOR_TYPES[tensor.type], elements);
  const valid = tensor.shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  if (!valid || sizeBytes === undefined)
    fail("safetensors/bad-tensor", `tensor ${quoted(tensor.name)}: bad shape [${tensor.shape.join(", ")}]`);
  return sizeBytes;
}

async function writeTensor(sink: ByteSink, tensor: SafetensorToWrite): Promise<void> {
  const wantedBytes = sizeOf(tensor);
  let writtenBytes = 0;
  for await (const piece of tensor.data()) {
    writtenBytes += piece.length;
    await sink.write(piece);
  }
  if (writtenBytes !== wantedBytes) {
    fail(
      "safetensors/bad-tensor",
      `tensor ${quoted(tensor.name)}: wanted ${wantedBytes} bytes of data, found ${writtenBytes}`,
    );
  }
}
