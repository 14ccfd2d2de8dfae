/**
 * The tensors of a GGUF file as plain numbers, a few rows at a time: a model's weights as floats would not fit.
 */
import { open } from "node:fs/promises";
import { basename } from "node:path";
import type { ByteSource } from "../../../src/core/byte-source.ts";
import { readBytes } from "../../../src/core/byte-source.ts";
import { dequantize } from "../../../src/files/dequantize.ts";
import type { GgufFile, GgufValue, TensorInfo } from "../../../src/files/gguf.ts";
import { readGguf } from "../../../src/files/gguf.ts";

export class GgufWeights {
  readonly #file: GgufFile;
  readonly #source: ByteSource;

  constructor(file: GgufFile, source: ByteSource) {
    this.#file = file;
    this.#source = source;
  }

  static async open(path: string): Promise<GgufWeights> {
    const source = await fileSource(path);
    return new GgufWeights(await readGguf(source), source);
  }

  metadata(key: string): GgufValue | undefined {
    return this.#file.metadata.get(key);
  }

  tensor(name: string): TensorInfo {
    const tensor = this.#file.tensors.get(name);
    if (!tensor) throw new Error(`${this.#source.name} has no tensor ${name}`);
    return tensor;
  }

  has(name: string): boolean {
    return this.#file.tensors.has(name);
  }

  /** A vector as doubles, or undefined when the file has none of that name. */
  async vector(name: string): Promise<Float64Array | undefined> {
    if (!this.has(name)) return undefined;
    const { type, shape } = this.tensor(name);
    return Float64Array.from(dequantize(type, await this.#bytes(name, 0, 1), shape[0]));
  }

  /** Rows [begin, end) of a matrix, (end − begin, shape[0]). */
  async rows(name: string, begin: number, end: number): Promise<Float32Array> {
    const { type, shape } = this.tensor(name);
    const [k, nRows] = shape;
    // I2_S has one scale behind all of its rows.
    if (type === "I2_S")
      return dequantize(type, await this.#bytes(name, 0, nRows), k * nRows).subarray(begin * k, end * k);
    return dequantize(type, await this.#bytes(name, begin, end), (end - begin) * k);
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  #bytes(name: string, begin: number, end: number): Promise<Uint8Array> {
    const { position, sizeBytes, shape, type } = this.tensor(name);
    const nRows = shape[1] ?? 1;
    if (type === "I2_S") return readBytes(this.#source, position, sizeBytes);
    const rowBytes = sizeBytes / nRows;
    return readBytes(this.#source, position + begin * rowBytes, (end - begin) * rowBytes);
  }
}

async function fileSource(path: string): Promise<ByteSource> {
  const file = await open(path);
  const { size } = await file.stat();
  return {
    name: basename(path),
    sizeBytes: size,
    async read(into, position) {
      for (let done = 0; done < into.length; ) {
        const { bytesRead } = await file.read(into, done, into.length - done, position + done);
        if (bytesRead === 0) throw new Error(`${path} ends at ${position + done}`);
        done += bytesRead;
      }
    },
    close: () => file.close(),
  };
}
