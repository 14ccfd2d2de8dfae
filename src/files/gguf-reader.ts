/**
 * Bounds-checked little-endian reading of a GGUF header.
 *
 * The bytes at hand may be only the head of the file. Reading past them means one of two things, told apart here:
 * the file itself ends there (`gguf/truncated`), or more of it must be fetched ({@link HeadTooShort}).
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import { GGUF_HEADER_BYTES_MAX, GGUF_HELD_BYTES_BESIDE, GGUF_HELD_BYTES_PER_BYTE } from "../core/limits.ts";
import { Utf8Decoder } from "./utf8.ts";

/** V8's overhead for a string, about. */
const STRING_BYTES = 24;

/** The file is fine: its header goes on after the bytes given. Never leaves `readGguf`. */
export class HeadTooShort extends Error {
  override readonly name = "HeadTooShort";
  /** Bytes from the file's start needed to go on. */
  readonly wantedBytes: number;

  constructor(wantedBytes: number) {
    super(`the GGUF header needs at least ${wantedBytes} bytes`);
    this.wantedBytes = wantedBytes;
  }
}

/** A cursor over the head of a file of `fileSizeBytes`. Every method checks before it reads. */
export class GgufReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fileSizeBytes: number;
  readonly #decoder = new Utf8Decoder();
  #heldBytes = 0;
  position = 0;
  /** What is being read, for messages. */
  where = "header";

  constructor(head: Uint8Array, fileSizeBytes: number) {
    this.bytes = head;
    this.#view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    this.#fileSizeBytes = fileSizeBytes;
  }

  /**
   * Counts the memory of header values before they are made.
   * @throws OnebitError `gguf/limit` when it is out of proportion to the file
   */
  hold(heldBytes: number): void {
    this.#heldBytes += heldBytes;
    const most = GGUF_HELD_BYTES_BESIDE + GGUF_HELD_BYTES_PER_BYTE * this.#fileSizeBytes;
    if (this.#heldBytes > most)
      fail(
        "gguf/limit",
        `${this.where}: the header's values would take more than ${most} bytes of memory, the file ` +
          `has ${this.#fileSizeBytes}`,
      );
  }

  /** Bytes of the file after the cursor, at hand or not. */
  get remainingBytes(): number {
    return this.#fileSizeBytes - this.position;
  }

  /** Throws unless `lengthBytes` more are at hand, and says why. */
  need(lengthBytes: number): void {
    const end = this.position + lengthBytes;
    if (end <= this.bytes.length) return;
    if (end > this.#fileSizeBytes) {
      fail(
        "gguf/truncated",
        `${this.where}: needs bytes up to ${end}, the file has ${this.#fileSizeBytes}; download or copy it again`,
      );
    }
    if (end > GGUF_HEADER_BYTES_MAX) {
      fail(
        "gguf/limit",
        `${this.where}: the header goes on past ${GGUF_HEADER_BYTES_MAX} bytes (to ${end}); it is damaged`,
      );
    }
    throw new HeadTooShort(end);
  }

  u8(): number {
    this.need(1);
    return this.#view.getUint8(this.position++);
  }

  i8(): number {
    this.need(1);
    return this.#view.getInt8(this.position++);
  }

  u16(): number {
    this.need(2);
    const value = this.#view.getUint16(this.position, true);
    this.position += 2;
    return value;
  }

  i16(): number {
    this.need(2);
    const value = this.#view.getInt16(this.position, true);
    this.position += 2;
    return value;
  }

  u32(): number {
    this.need(4);
    const value = this.#view.getUint32(this.position, true);
    this.position += 4;
    return value;
  }

  i32(): number {
    this.need(4);
    const value = this.#view.getInt32(this.position, true);
    this.position += 4;
    return value;
  }

  f32(): number {
    this.need(4);
    const value = this.#view.getFloat32(this.position, true);
    this.position += 4;
    return value;
  }

  f64(): number {
    this.need(8);
    const value = this.#view.getFloat64(this.position, true);
    this.position += 8;
    return value;
  }

  /** A u64. Beyond 2^53 the number is inexact, but every check against a limit or a size still refuses it. */
  size(): number {
    const low = this.u32();
    return this.u32() * 4294967296 + low;
  }

  /** A number where it is exact, a bigint where it is not. */
  u64(): number | bigint {
    this.need(8);
    const value = this.#view.getBigUint64(this.position, true);
    this.position += 8;
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  i64(): number | bigint {
    this.need(8);
    const value = this.#view.getBigInt64(this.position, true);
    this.position += 8;
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  /** u64 length, then that many bytes of UTF-8 (see `utf8.ts` for bytes that are not). */
  string(maxBytes: number): string {
    const lengthBytes = this.size();
    if (lengthBytes > maxBytes) {
      fail("gguf/limit", `${this.where}: a string of ${lengthBytes} bytes, the limit is ${maxBytes}`);
    }
    this.need(lengthBytes);
    this.hold(STRING_BYTES + lengthBytes);
    const begin = this.position;
    this.position += lengthBytes;
    return this.#decoder.decode(this.bytes, begin, this.position);
  }

  skip(lengthBytes: number): void {
    this.need(lengthBytes);
    this.position += lengthBytes;
  }

  skipString(): void {
    this.skip(this.size());
  }

  /** A copy of the next `lengthBytes`, aligned for typed arrays. */
  copy(lengthBytes: number): ArrayBuffer {
    this.need(lengthBytes);
    this.hold(lengthBytes);
    const begin = this.bytes.byteOffset + this.position;
    this.position += lengthBytes;
    return (this.bytes.buffer as ArrayBuffer).slice(begin, begin + lengthBytes);
  }
}
