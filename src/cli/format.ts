/**
 * Formats numbers for people and values for programs.
 *
 * @module
 */
import type { Speculation } from "../index.ts";

/** 1_536_000 → "1.5 MB": powers of a thousand, as file managers and disks count. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function formatRate(count: number, ms: number): string {
  return `${(ms > 0 ? (count * 1000) / ms : 0).toFixed(1)} tokens/s`;
}

/** "drafted 40 tokens in 3 walks, 36 accepted" */
export function formatSpeculation({ walks, draftedTokens, acceptedTokens }: Speculation): string {
  return `drafted ${draftedTokens} tokens in ${walks} walks, ${acceptedTokens} accepted`;
}

/** One JSON value and a newline; 64-bit integers as numbers where they are exact, else as text. */
export function formatJson(value: unknown): string {
  const plain = (_key: string, item: unknown): unknown => (typeof item === "bigint" ? plainBigint(item) : item);
  // JSON leaves some terminal control characters unescaped; as escapes they are the same values.
  const json = JSON.stringify(value, plain, 2).replace(
    /[\x7f-\x9f\u061c\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${json}\n`;
}

function plainBigint(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
