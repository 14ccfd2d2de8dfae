/** The most memory that this process ever held. */
import { existsSync, readFileSync } from "node:fs";

const STATUS = "/proc/self/status";

/**
 * Resident bytes at their peak. Linux begins `maxRSS` at what the parent held; the line VmHWM is of this process alone.
 */
export function peakBytes(): number {
  const kilobytes = existsSync(STATUS) ? /^VmHWM:\s*(\d+) kB/m.exec(readFileSync(STATUS, "utf8"))?.[1] : undefined;
  return (kilobytes === undefined ? process.resourceUsage().maxRSS : Number(kilobytes)) * 1024;
}
