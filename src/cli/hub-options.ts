/**
 * Download options that several commands share.
 *
 * @module
 */
import type { HubOptions } from "../hub.ts";
import type { Command, Options } from "./command.ts";

export const HUB_OPTION_TYPES = {
  token: { type: "string" },
  revision: { type: "string" },
  offline: { type: "boolean" },
} as const satisfies Command["optionTypes"];

export const HUB_OPTION_HELP: Command["optionHelp"] = [
  ["--revision R", "branch, tag or commit of a repository (default: main)"],
  ["--token T", "for private and gated repositories; HF_TOKEN in the environment is safer"],
  ["--offline", "never touch the network"],
];

export function hubOptions(options: Options): HubOptions {
  return {
    token: options.text("token"),
    revision: options.text("revision"),
    // If left out, the environment decides.
    ...(options.flag("offline") ? { offline: true } : {}),
  };
}
