/**
 * A file in Node as a source of bytes.
 *
 * @module
 */
import type { ByteSource } from "../../core/byte-source.ts";
import { fail } from "../../core/errors.ts";

/** Largest single read: Node takes lengths below 2 GiB. */
const READ_BYTES_MAX = 1 << 30;

type OpenFs = Pick<typeof import("node:fs/promises"), "open" | "stat">;

/** @param fs tests pass one that fails */
export async function openFile(
  path: string,
  fs: OpenFs = process.getBuiltinModule("node:fs/promises"),
): Promise<ByteSource> {
  const refuse = (cause: NodeJS.ErrnoException): never =>
    cause.code === "ENOENT"
      ? fail("file/not-found", `${path}: no such file`, cause)
      : fail("file/read", `${path}: ${cause.message}`, cause);
  // Before opening: to open a pipe would wait forever for a writer.
  requireFile(path, await fs.stat(path).catch(refuse));
  const handle = await fs.open(path, "r").catch(refuse);
  const stat = await handle.stat().catch(async (cause: unknown) => {
    await handle.close().catch(() => {});
    return fail("file/read", `${path}: ${messageOf(cause)}`, cause);
  });
  return {
    name: path,
    sizeBytes: stat.size,
    async read(into, position) {
      for (let done = 0; done < into.length; ) {
        const want = Math.min(into.length - done, READ_BYTES_MAX);
        const { bytesRead } = await handle
          .read(into, done, want, position + done)
          .catch((cause: unknown) =>
            fail("file/read", `${path}: read at byte ${position + done} failed: ${messageOf(cause)}`, cause),
          );
        if (bytesRead === 0)
          fail("file/read", `${path}: wanted bytes up to ${position + into.length}, it ends at ${position + done}`);
        done += bytesRead;
      }
    },
    close: () => handle.close().catch((cause: unknown) => fail("file/read", `${path}: ${messageOf(cause)}`, cause)),
  };
}

function requireFile(path: string, stat: import("node:fs").Stats): void {
  if (stat.isFile()) return;
  const kinds = [
    [stat.isDirectory(), "a folder"],
    [stat.isFIFO(), "a pipe"],
    [stat.isSocket(), "a socket"],
    [true, "a device"],
  ] as const;
  fail("file/read", `${path}: wanted a file, found ${kinds.find(([is]) => is)?.[1]}`);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
