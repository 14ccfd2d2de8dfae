/** What this example uses of Cloudflare's own types. A larger program takes them all from `wrangler types`. */

export interface Env {
  readonly MODELS: R2Bucket;
  readonly SNAPSHOTS: R2Bucket;
  readonly CONVERSATIONS: { getByName(name: string): { fetch(request: Request): Promise<Response> } };
  /** Objects of the bucket MODELS that may be asked for, by their names. */
  readonly MODEL_FILES: readonly string[];
  /** The key that requests must have; a secret: `wrangler secret put API_KEY`. Without it anybody may ask. */
  readonly API_KEY?: string;
}

export interface R2Bucket {
  head(key: string): Promise<{ readonly size: number; readonly etag: string } | null>;
  get(
    key: string,
    options?: { range: { offset: number; length: number }; onlyIf: { etagMatches: string } },
  ): Promise<R2ObjectBody | null>;
  put(key: string, value: Uint8Array): Promise<unknown>;
}

interface R2ObjectBody {
  /** Absent where `onlyIf` did not hold. */
  readonly body?: ReadableStream<Uint8Array>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/**
 * Both the context of a request and the state of an object have it: work that goes on after the answer, or without a
 * reader.
 */
export interface WaitUntil {
  waitUntil(work: Promise<unknown>): void;
}
