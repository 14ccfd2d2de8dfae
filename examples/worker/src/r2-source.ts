/**
 * A model file in R2, read block by block: the file as a whole is never in memory, and its many small tensors (TriLM
 * 99M has 148) cost few requests. A block that stalls or breaks is asked for again.
 */
import { type ByteSource, OnebitError } from "onebit";
import type { R2Bucket } from "./cloudflare.ts";

const BLOCK_BYTES = 2 ** 21;
/** A block is there in some 0.1 s. */
const READ_TIMEOUT_MS = 5000;
const READS_MAX = 3;

/** @throws OnebitError `file/not-found`, `hub/timeout` */
export async function r2Source(bucket: R2Bucket, key: string): Promise<ByteSource> {
  const found = await inTime(key, () => bucket.head(key));
  if (found === null) throw new OnebitError("file/not-found", `${key}: the bucket has no such object`);
  const { size, etag } = found;
  let buffer = new ArrayBuffer(BLOCK_BYTES),
    begin = 0,
    end = 0;

  /** Makes the buffer hold the file from `position` on. */
  async function fetchBlock(position: number): Promise<void> {
    const length = Math.min(BLOCK_BYTES, size - position);
    begin = end = position;
    buffer = await inTime(key, async (isLate) => {
      // A read that was given up may still write to the buffer it was given.
      let bytes = buffer.byteLength > 0 ? buffer : new ArrayBuffer(BLOCK_BYTES),
        filled = 0;
      buffer = new ArrayBuffer(0);
      // The tag: half of one file and half of its successor would be a model that answers nonsense.
      const part = await bucket.get(key, { range: { offset: position, length }, onlyIf: { etagMatches: etag } });
      if (!part?.body) throw new OnebitError("file/read", `${key}: it was replaced or removed while it was being read`);
      // The bytes come into this one buffer: in chunks of their own they would be as much garbage as the file is long.
      const reader = part.body.getReader({ mode: "byob" });
      isLate.then(() => reader.cancel()).catch(() => {});
      while (filled < length) {
        const { value } = await reader.read(new Uint8Array(bytes, filled, length - filled));
        if (value === undefined || value.length === 0) throw new Error(`it ended after ${filled} bytes of ${length}`);
        bytes = value.buffer;
        filled += value.length;
      }
      return bytes;
    });
    end = position + length;
  }

  async function readInto(into: Uint8Array, position: number): Promise<void> {
    if (position + into.length > size)
      throw new OnebitError("file/read", `${key}: wanted bytes up to ${position + into.length}, it has ${size}`);
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

/**
 * Asks R2, and again where it fails or says nothing for too long. `isLate` resolves when nobody waits for this try any
 * more.
 */
async function inTime<T>(key: string, ask: (isLate: Promise<void>) => Promise<T>): Promise<T> {
  for (let nReads = 1; ; nReads++) {
    let giveUp = (): void => {},
      timer: ReturnType<typeof setTimeout> | undefined;
    const isLate = new Promise<void>((resolve) => (giveUp = resolve));
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        giveUp();
        reject(
          new OnebitError(
            "hub/timeout",
            `${key}: R2 did not answer ${nReads} times, for ${READ_TIMEOUT_MS / 1000} s each`,
          ),
        );
      }, READ_TIMEOUT_MS);
    });
    try {
      return await Promise.race([ask(isLate), late]);
    } catch (error) {
      const isFinal = error instanceof OnebitError && error.code !== "hub/timeout";
      if (isFinal || nReads === READS_MAX)
        throw error instanceof OnebitError
          ? error
          : new OnebitError("file/read", `${key}: R2: ${String(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}
