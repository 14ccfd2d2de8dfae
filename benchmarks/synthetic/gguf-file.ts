/** TEMPORARY minimal GGUF v3 writer until src/files/gguf-writer.ts exists. */
import { closeSync, openSync, writeSync } from "node:fs";
import { tensorSizeBytes } from "./weights.ts";

const typeIds: Record<string, number> = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 8, Q4_K: 12, Q6_K: 14, BF16: 30, TQ1_0: 34, TQ2_0: 35, I2_S: 36, Q1_0: 41, Q2_0: 42 };
export type Value = readonly [key: string, type: "u32" | "f32" | "bool" | "string" | "string[]" | "i32[]", value: unknown];
export interface TensorToWrite { name: string; type: string; shape: readonly number[]; data: () => Iterable<Uint8Array> }

export function writeGgufFile(path: string, metadata: readonly Value[], tensors: readonly TensorToWrite[]): number {
  const fd = openSync(path, "w");
  let position = 0;
  const write = (bytes: Uint8Array) => { for (let o = 0; o < bytes.length;) o += writeSync(fd, bytes, o); position += bytes.length; };
  const parts: Buffer[] = [];
  const u32 = (n: number) => { const b = Buffer.alloc(4); b.writeUInt32LE(n); parts.push(b); };
  const u64 = (n: number) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); parts.push(b); };
  const str = (s: string) => { const b = Buffer.from(s); u64(b.length); parts.push(b); };
  parts.push(Buffer.from("GGUF")); u32(3); u64(tensors.length); u64(metadata.length);
  for (const [key, type, value] of metadata) {
    str(key);
    if (type === "u32") { u32(4); u32(value as number); }
    else if (type === "f32") { u32(6); const b = Buffer.alloc(4); b.writeFloatLE(value as number); parts.push(b); }
    else if (type === "bool") { u32(7); parts.push(Buffer.from([value ? 1 : 0])); }
    else if (type === "string") { u32(8); str(value as string); }
    else if (type === "string[]") { u32(9); u32(8); u64((value as string[]).length); for (const s of value as string[]) str(s); }
    else { u32(9); u32(5); u64((value as number[]).length); for (const n of value as number[]) u32(n); }
  }
  let offset = 0;
  for (const t of tensors) {
    str(t.name); u32(t.shape.length); for (const n of t.shape) u64(n); u32(typeIds[t.type]); u64(offset);
    const size = tensorSizeBytes(t.type, t.shape.reduce((a, b) => a * b, 1));
    offset += Math.ceil(size / 32) * 32;
  }
  write(Buffer.concat(parts));
  const pad = () => write(new Uint8Array((32 - (position % 32)) % 32));
  pad();
  for (const t of tensors) { for (const chunk of t.data()) write(chunk); pad(); }
  closeSync(fd);
  return position;
}
