/**
 * A model file in R2, read block by block: the file as a whole is never in memory, and its many small tensors (TriLM 99M has
 * 148) cost few requests.
 */
import { type ByteSource, OnebitError } from "onebit";
import type { R2Bucket } from "./cloudflare.ts";

const BLOCK_BYTES = 2 ** 21;

/** @throws OnebitError `file/not-found` */
export async function r2Source(bucket: R2Bucket, key: string): Promise<ByteSource> {
  const found = await bucket.head(key);
  if (found === null) throw new OnebitError("file/not-found", `${key}: the bucket has no such object`);
  const { size, etag } = found;
  let buffer = new ArrayBuffer(BLOCK_BYTES), begin = 0, end = 0;

  /** Makes the buffer hold the file from `position` on. */
  async function fetchBlock(position: number): Promise<void> {
    const length = Math.min(BLOCK_BYTES, size - position);
    begin = end = position;
    // The tag: half of one file and half of its successor would be a model that answers nonsense.
    const part = await bucket.get(key, { range: { offset: position, length }, onlyIf: { etagMatches: etag } });
    if (!part?.body) throw new OnebitError("file/read", `${key}: it was replaced or removed while it was being read`);
    // The bytes come into this one buffer: in chunks of their own they would be as much garbage as the file is long.
    const reader = part.body.getReader({ mode: "byob" });
    while (end < position + length) {
      const { value } = await reader.read(new Uint8Array(buffer, end - position, position + length - end));
      if (value === undefined || value.length === 0) throw new OnebitError("file/read", `${key}: wanted ${length} bytes at ${position}, got ${end - position}`);
      buffer = value.buffer;
      end += value.length;
    }
  }

  async function readInto(into: Uint8Array, position: number): Promise<void> {
    if (position + into.length > size) throw new OnebitError("file/read", `${key}: wanted bytes up to ${position + into.length}, it has ${size}`);
    for (let done = 0; done < into.length; ) {
      const at = position + done;
      if (at < begin || at >= end) await fetchBlock(at);
      const bytes = new Uint8Array(buffer, at - begin, Math.min(end - at, into.length - done));
      into.set(bytes, done);
      done += bytes.length;
    }
  }

  let last: Promise<unknown> = Promise.resolve();
  return {
    name: key,
    sizeBytes: size,
    // In turns: there is one buffer.
    read(into, position) {
      const reading = last.then(() => readInto(into, position));
      last = reading.catch(() => {});
      return reading;
    },
    async close() {},
  };
}
