/**
 * Reads training data: a file's bytes, inflated if it is gzip.
 *
 * @module
 */
import { guardedSource, isByteSource, readBytes } from "../core/byte-source.ts";
import type { ByteSource } from "../core/byte-source.ts";
import { OnebitError, fail, throwIfAborted } from "../core/errors.ts";
import { TRAINING_DATA_BYTES_MAX } from "../core/limits.ts";
import { isRefusedMemory, withMemory } from "../core/refused-memory.ts";
import { type OptionTable, SIGNAL, check, checkOptions, kind, whole } from "../core/options.ts";

/** Options of {@link readTextFile}. */
export interface TextFileOptions {
  /**
   * Take this many bytes from the beginning of the (inflated) data; the rest is neither inflated nor checked. Default:
   * all of it.
   */
  readonly maxBytes?: number;
  /** Ends the reading, which then throws `aborted`. */
  readonly signal?: AbortSignal;
}

const TEXT_FILE_OPTIONS: OptionTable<TextFileOptions> = { maxBytes: whole(1, TRAINING_DATA_BYTES_MAX), signal: SIGNAL };

/** Compressed bytes read at once: gzip inflates at most 1,032-fold, so a slice adds at most 66 MB. */
const GZIP_SLICE_BYTES = 64 * 1024;
/** Plain bytes read between two checks of the abort signal. */
const PLAIN_SLICE_BYTES = 16 * 1024 * 1024;

/**
 * Reads training data, inflated when it is a gzip file, which is known by its first two bytes, 1f 8b.
 *
 * @returns at most `maxBytes` bytes in fresh memory, at least one
 * @throws OnebitError `train/bad-data` when it is empty, above 1 GiB with no `maxBytes`, or a gzip file that is
 *   damaged, cut short or several in one; `train/bad-option`; `train/not-enough-memory`; `file/read`; `option/…`;
 *   `aborted`
 * @example
 * ```ts
 * import { nodePlatform } from "onebit";
 * import { readTextFile } from "onebit/train";
 *
 * const source = await nodePlatform().openFile("text.txt");
 * console.log((await readTextFile(source, { maxBytes: 100 })).length);
 * await source.close();
 * ```
 */
export async function readTextFile(given: ByteSource, options: TextFileOptions = {}): Promise<Uint8Array> {
  const { maxBytes = Infinity, signal } = checkOptions("readTextFile", options, TEXT_FILE_OPTIONS, {
    code: "train/bad-option",
  });
  const source = guardedSource(check("source", given, kind<ByteSource>("a source of bytes", isByteSource)));
  throwIfAborted(signal);
  const bytes = await withMemory("train/not-enough-memory", source.name, async () =>
    (await isGzip(source)) ? await inflate(source, maxBytes, signal) : await readPlain(source, maxBytes, signal),
  );
  if (bytes.length === 0) fail("train/bad-data", `${source.name}: wanted training data, found an empty file`);
  return bytes;
}

async function isGzip(source: ByteSource): Promise<boolean> {
  if (source.sizeBytes < 2) return false;
  const magic = await readBytes(source, 0, 2);
  return magic[0] === 0x1f && magic[1] === 0x8b;
}

async function readPlain(source: ByteSource, maxBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const lengthBytes = Math.min(source.sizeBytes, maxBytes);
  if (lengthBytes > TRAINING_DATA_BYTES_MAX) failTooLong(source.name, `it has ${source.sizeBytes} bytes`);
  const bytes = allocate(source.name, lengthBytes);
  for (let done = 0; done < lengthBytes; done += PLAIN_SLICE_BYTES) {
    throwIfAborted(signal);
    await source.read(bytes.subarray(done, done + PLAIN_SLICE_BYTES), done);
  }
  return bytes;
}

async function inflate(source: ByteSource, maxBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const stream = new DecompressionStream("gzip");
  const reader = stream.readable.getReader(),
    writer = stream.writable.getWriter();
  // The reader gets every error: data errors directly, source errors as the abort's reason.
  const feeding = feed(source, writer, signal).catch((error: unknown) => writer.abort(error).catch(() => {}));
  const chunks: Uint8Array[] = [];
  let lengthBytes = 0;
  try {
    while (lengthBytes < maxBytes) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      lengthBytes += value.length;
      if (maxBytes === Infinity && lengthBytes > TRAINING_DATA_BYTES_MAX)
        failTooLong(source.name, "it inflates to more");
    }
  } catch (cause) {
    if (cause instanceof OnebitError || isRefusedMemory(cause)) throw cause;
    failDamaged(source.name, cause instanceof Error ? cause.message : String(cause), cause);
  } finally {
    await reader.cancel().catch(() => {});
    await feeding;
  }
  if (lengthBytes < maxBytes) await checkLength(source, lengthBytes);
  return concatenate(source.name, chunks, Math.min(lengthBytes, maxBytes));
}

/**
 * A gzip file ends with its inflated length modulo 2^32. Engines disagree on several files in one (`cat a.gz b.gz`);
 * this refuses them everywhere.
 */
async function checkLength(source: ByteSource, lengthBytes: number): Promise<void> {
  const end = await readBytes(source, source.sizeBytes - 4, 4),
    said = new DataView(end.buffer).getUint32(0, true);
  if (said !== lengthBytes % 4294967296)
    failDamaged(source.name, `it declares ${said} bytes and inflates to ${lengthBytes}`);
}

function failDamaged(file: string, what: string, cause?: unknown): never {
  fail(
    "train/bad-data",
    `${file}: the gzip data is damaged or cut short, or several gzip files in one (inflate those first): ${what}`,
    cause,
  );
}

async function feed(
  source: ByteSource,
  writer: WritableStreamDefaultWriter<BufferSource>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let done = 0; done < source.sizeBytes; done += GZIP_SLICE_BYTES) {
    throwIfAborted(signal);
    await writer.write(
      (await readBytes(source, done, Math.min(GZIP_SLICE_BYTES, source.sizeBytes - done))) as Uint8Array<ArrayBuffer>,
    );
  }
  await writer.close();
}

function concatenate(file: string, chunks: readonly Uint8Array[], lengthBytes: number): Uint8Array {
  const whole = allocate(file, lengthBytes);
  let used = 0;
  for (const chunk of chunks) {
    const part = chunk.subarray(0, lengthBytes - used);
    whole.set(part, used);
    used += part.length;
  }
  return whole;
}

function allocate(file: string, lengthBytes: number): Uint8Array {
  try {
    return new Uint8Array(lengthBytes);
  } catch (cause) {
    return fail(
      "train/not-enough-memory",
      `${file}: not enough memory for ${lengthBytes} bytes of training data; set maxBytes`,
      cause,
    );
  }
}

function failTooLong(file: string, what: string): never {
  fail(
    "train/bad-data",
    `${file}: wanted at most ${TRAINING_DATA_BYTES_MAX} bytes of training data, ${what}; set maxBytes to use ` +
      "only the first part",
  );
}
