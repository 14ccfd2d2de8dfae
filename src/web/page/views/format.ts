/**
 * Formats numbers for people.
 *
 * @module
 */
const UNITS: readonly (readonly [bytes: number, name: string])[] = [
  [1e9, "GB"],
  [1e6, "MB"],
  [1e3, "kB"],
];

/** `864544` → `865 kB` */
export function formatBytes(bytes: number): string {
  const [unit, name] = UNITS.find(([size]) => bytes >= size) ?? [1, "bytes"],
    value = bytes / unit;
  return `${value.toFixed(unit === 1 || value >= 100 ? 0 : 1)} ${name}`;
}

/** `83_000` → `1 min 23 s` */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function formatRate(perSecond: number): string {
  return perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toFixed(1);
}
