/** The contestants' programs: this bundle, whose first argument selects the program, and the peer. */
import { existsSync } from "node:fs";
import type { ClockName } from "./clock.ts";
import { Contestant } from "./contestant.ts";

export type ProgramName = "onebit" | "peak" | "tfjs";
export type Started = Contestant & { readonly description: string };

export interface Programs {
  readonly peerInstalled: boolean;
  start(name: ProgramName, threads: number): Promise<Started>;
}

/** Benchmarks run from the repository root. */
const PEER = "benchmarks/peers/tfjs.mjs";

export function createPrograms(self: string, clock: ClockName): Programs {
  return {
    peerInstalled: existsSync("benchmarks/node_modules/@tensorflow/tfjs-backend-wasm"),
    start: (name, threads) =>
      name === "tfjs"
        ? Contestant.start(name, PEER, { threads, clock })
        : Contestant.start(name, self, { threads, clock }, ["--child", name]),
  };
}
