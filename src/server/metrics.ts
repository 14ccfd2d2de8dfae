/**
 * Counts for Prometheus, in its text format (version 0.0.4).
 *
 * @module
 */

interface Family {
  readonly help: string;
  readonly type: "counter" | "gauge";
}

const FAMILIES = {
  onebit_requests_total: { type: "counter", help: "Requests by path and status." },
  onebit_prompt_tokens_total: { type: "counter", help: "Tokens of prompts." },
  onebit_cached_tokens_total: { type: "counter", help: "Tokens of prompts that were cached and cost nothing." },
  onebit_generated_tokens_total: { type: "counter", help: "Tokens written." },
  onebit_prompt_seconds_total: { type: "counter", help: "Time until prompts were read." },
  onebit_generate_seconds_total: { type: "counter", help: "Time spent writing." },
  onebit_stopped_total: { type: "counter", help: "Requests that ended early, by reason." },
  onebit_snapshots_total: { type: "counter", help: "Snapshots of conversations: restored, stored, failed." },
  onebit_requests_running: { type: "gauge", help: "Requests that are being answered." },
  onebit_requests_waiting: { type: "gauge", help: "Requests that wait." },
  onebit_model_memory_bytes: { type: "gauge", help: "Memory of each loaded model." },
} as const satisfies Readonly<Record<string, Family>>;

export type MetricName = keyof typeof FAMILIES;
export type Labels = Readonly<Record<string, string>>;

/** Label values come from our own tables, but for models' names. */
const SERIES_MAX = 10_000;

export class Metrics {
  readonly #values = new Map<MetricName, Map<string, number>>();

  add(name: MetricName, value: number, labels: Labels = {}): void {
    const series = this.#seriesOf(name),
      key = labelsText(labels);
    if (series.has(key) || series.size < SERIES_MAX) series.set(key, (series.get(key) ?? 0) + value);
  }

  set(name: MetricName, value: number, labels: Labels = {}): void {
    this.#seriesOf(name).set(labelsText(labels), value);
  }

  /** Forgets a gauge's series: models that are no longer loaded. */
  clear(name: MetricName): void {
    this.#values.delete(name);
  }

  toText(): string {
    const lines = Object.entries(FAMILIES).flatMap(([name, { type, help }]) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...[...this.#seriesOf(name as MetricName)].map(([labels, value]) => `${name}${labels} ${value}`),
    ]);
    return `${lines.join("\n")}\n`;
  }

  #seriesOf(name: MetricName): Map<string, number> {
    const found = this.#values.get(name) ?? new Map<string, number>();
    this.#values.set(name, found);
    return found;
  }
}

function labelsText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (found) => (found === "\n" ? "\\n" : `\\${found}`));
}
