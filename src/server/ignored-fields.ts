/**
 * Fields that clients send out of habit and that change no answer here. Every other unknown field is refused.
 *
 * @module
 */

const IGNORED: Readonly<Record<string, string>> = {
  user: "names the client's own user; nobody is billed or watched here",
  safety_identifier: "as user",
  metadata: "labels for a dashboard that does not exist here",
  store: "nothing is stored",
  service_tier: "there is one",
  prompt_cache_key: "what begins alike is found without it; cache_group keeps users apart",
  prompt_cache_retention: "the cache keeps what there is room for",
  cache_prompt: "llama.cpp's; prompts are always cached",
  timings_per_token: "llama.cpp's; /metrics has times",
  verbosity: "models here were trained without it",
  prediction: "a hint that makes answers faster and changes none",
  include: "nothing there is to include beyond the answer",
  max_tool_calls: "counts tools that the server runs; here clients run all",
};

export const IGNORED_FIELDS: ReadonlySet<string> = new Set(Object.keys(IGNORED));
