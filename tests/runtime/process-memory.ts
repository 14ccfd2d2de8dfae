/** What the system knows of another process. */
import { readFileSync } from "node:fs";

export function rssBytesOf(pid: number): number {
  return statusOf(pid, "VmRSS");
}

export function peakRssBytesOf(pid: number): number {
  return statusOf(pid, "VmHWM");
}

function statusOf(pid: number, field: string): number {
  return (
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024
  );
}
