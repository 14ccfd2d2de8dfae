/**
 * Generators of what a campaign must find, each fault a sixteenth of the inputs, for the test of the campaign itself.
 */
import { fail } from "../../../src/core/errors.ts";
import type { HostileGenerator } from "../generators/generator.ts";
import { attemptInputs } from "./attempts.ts";

const accepted = { outcome: "accepted", inputBytes: 100 };
const held: Uint8Array[] = [];

const FAULTS: Readonly<Record<string, HostileGenerator["tryOne"]>> = {
  typed: () => fail("gguf/bad-value", "as it should be"),
  untyped: () => {
    throw new TypeError("not as it should be");
  },
  dies: () => process.exit(7),
  hangs: () => {
    for (;;);
  },
  slow: () => {
    const { user, system } = process.cpuUsage();
    for (let now = process.cpuUsage(); now.user + now.system - user - system < 2_200_000; now = process.cpuUsage());
    return accepted;
  },
  greedy: () => {
    held.push(new Uint8Array(80 * 2 ** 20).fill(1));
    return accepted;
  },
};

await attemptInputs([
  { name: "fine", weight: 10, tryOne: () => accepted },
  ...Object.entries(FAULTS).map(([name, tryOne]) => ({ name, weight: 1, tryOne })),
]);
