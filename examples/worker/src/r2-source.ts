/** A model file in R2, read range by range: the file as a whole is never in memory. */
import { type ByteSource, OnebitError } from "onebit";
import type { R2Bucket } from "./cloudflare.ts";

/** @throws OnebitError `file/not-found` */
export async function r2Source(bucket: R2Bucket, key: string): Promise<ByteSource> {
  const found = await bucket.head(key);
  if (found === null) throw new OnebitError("file/not-found", `${key}: the bucket has no such object`);
  return {
    name: key,
    sizeBytes: found.size,
    async read(into, position) {
      // The tag: half of one file and half of its successor would be a model that answers nonsense.
      const part = await bucket.get(key, { range: { offset: position, length: into.length }, onlyIf: { etagMatches: found.etag } });
      if (!part?.body) throw new OnebitError("file/read", `${key}: it was replaced or removed while it was being read`);
      let at = 0;
      for await (const chunk of part.body) {
        if (at + chunk.length <= into.length) into.set(chunk, at);
        at += chunk.length;
      }
      if (at !== into.length) throw new OnebitError("file/read", `${key}: wanted ${into.length} bytes at ${position}, got ${at}`);
    },
    async close() {},
  };
}
