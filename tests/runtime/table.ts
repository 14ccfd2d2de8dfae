/**
 * What ran where: build/runtimes.json holds a row for each runtime that was tested, build/runtimes.md shows them.
 * Each run replaces the rows of the runtimes it tested.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { SuiteReport } from "./suite.ts";

export interface Row {
  readonly runtime: string;
  readonly report: Pick<SuiteReport, "engine" | "checks"> & { readonly models: number };
  /** Where a fetched model is found without the network, or why nowhere. */
  readonly offline: string;
}

const JSON_FILE = "build/runtimes.json";
const MARKDOWN_FILE = "build/runtimes.md";

/** Columns that hold when these checks do; those without are what `runSuite` could not have ended without. */
const COLUMNS: Readonly<Record<string, readonly (keyof SuiteReport["checks"])[]>> = {
  load: ["progress", "blob", "url"],
  generate: ["stream", "leave the loop"],
  chat: [],
  embed: [],
  abort: ["abort"],
  close: ["close"],
  "typed errors": ["bad bytes", "bad options"],
  train: ["train"],
  "same bits": ["one thread", "plain SIMD"],
};

export function recordRow(runtime: string, { engine, checks, models }: SuiteReport, offline: string): void {
  mkdirSync("build", { recursive: true });
  const others = existsSync(JSON_FILE)
    ? (JSON.parse(readFileSync(JSON_FILE, "utf8")) as Row[]).filter((row) => row.runtime !== runtime)
    : [];
  const rows: Row[] = [...others, { runtime, report: { engine, checks, models: Object.keys(models).length }, offline }];
  rows.sort((a, b) => (a.runtime < b.runtime ? -1 : 1));
  writeFileSync(JSON_FILE, `${JSON.stringify(rows, null, 2)}\n`);
  writeFileSync(MARKDOWN_FILE, markdownTable(rows));
}

function markdownTable(rows: readonly Row[]): string {
  const head = ["runtime", ...Object.keys(COLUMNS), "relaxed SIMD", "threads", "offline cache"];
  const lines = rows.map(({ runtime, report: { engine, checks }, offline }) => [
    runtime,
    ...Object.values(COLUMNS).map((names) => (names.every((name) => checks[name] === "ok") ? "yes" : "NO")),
    engine.variant === "relaxed" ? "yes" : "no",
    engine.reason === undefined ? "yes" : "one",
    offline,
  ]);
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}
