/**
 * From a model's name to the model on this machine.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { HubPlatform } from "../core/model-store.ts";
import { pullContext } from "./options.ts";
import type { HubOptions, PulledModel } from "./options.ts";
import { pullFromHub } from "./pull-hub.ts";
import { pullFromUrl } from "./pull-url.ts";
import { parseSource } from "./source.ts";

/** @throws OnebitError `hub/…`, `file/…`, `option/invalid`, `aborted` */
export async function pullModel(
  source: string,
  platform: HubPlatform,
  options: HubOptions,
  signal?: AbortSignal,
): Promise<PulledModel> {
  const context = pullContext(platform, options, signal),
    parsed = parseSource(source, context.hubUrl);
  if (parsed.kind === "hub") return await pullFromHub(parsed, context);
  if (parsed.kind === "url") return await pullFromUrl(parsed.url, context);
  return fail(
    "hub/bad-source",
    `${quoted(source)}: wanted hf:owner/repo, hf:owner/repo/file or a URL; a local file needs no pull`,
  );
}
