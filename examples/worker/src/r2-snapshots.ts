/**
 * Snapshots of conversations in R2. A lifecycle rule of the bucket forgets what nobody went on with (README.md).
 *
 * One is written each {@link MIN_IDS} ids, not after each turn: README.md has what writing and reading again cost.
 */
import type { SnapshotStore } from "onebit/server";
import type { R2Bucket } from "./cloudflare.ts";

const MIN_IDS = 256;

export function r2Snapshots(bucket: R2Bucket): SnapshotStore {
  return {
    minIds: MIN_IDS,
    async read(key) {
      const found = await bucket.get(key);
      return found === null ? undefined : new Uint8Array(await found.arrayBuffer());
    },
    async write(key, bytes) {
      await bucket.put(key, bytes);
    },
  };
}
