#!/usr/bin/env node
/**
 * The program `onebit`.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { inspect, load, loadTokenizer } from "../index.ts";
import { list, pull, remove } from "../hub.ts";
import { runCli } from "./cli.ts";
import { processTerminal } from "./terminal.ts";

/** From the package's own manifest, beside dist/. */
function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return (manifest as { version: string }).version;
}

// Set, not process.exit(): output still in the pipe must be written first.
process.exitCode = await runCli(
  process.argv.slice(2),
  processTerminal(),
  { inspect, load, loadTokenizer, pull, list, remove },
  readVersion(),
);
