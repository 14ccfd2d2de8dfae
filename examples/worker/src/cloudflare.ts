/** What this example uses of Cloudflare's own types. A larger program takes them all from `wrangler types`. */

export interface Env {
  readonly MODELS: R2Bucket;
  readonly CONVERSATIONS: { getByName(name: string): { fetch(request: Request): Promise<Response> } };
}

export interface R2Bucket {
  head(key: string): Promise<{ readonly size: number; readonly etag: string } | null>;
  get(
    key: string,
    options: { range: { offset: number; length: number }; onlyIf: { etagMatches: string } },
  ): Promise<{ readonly body?: ReadableStream<Uint8Array> } | null>;
}

/**
 * Both the context of a request and the state of an object have it: work that goes on after the answer, or without a
 * reader.
 */
export interface WaitUntil {
  waitUntil(work: Promise<unknown>): void;
}

export interface DurableObjectState extends WaitUntil {
  readonly id: { toString(): string };
  readonly storage: {
    get<T>(key: string): Promise<T | undefined>;
    put(entries: Record<string, unknown>): Promise<void>;
    /** Resolves when what was put is on the disk. */
    sync(): Promise<void>;
    deleteAll(): Promise<void>;
  };
}

declare global {
  /** Hands on the bytes that are written to it, when they are read. */
  class IdentityTransformStream {
    readonly readable: ReadableStream<Uint8Array>;
    readonly writable: WritableStream<Uint8Array>;
  }
}
