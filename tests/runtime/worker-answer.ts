/** What examples/worker answers with, read to its end. */
import assert from "node:assert/strict";

/** A completion that is asked for. */
export interface CompletionAsk {
  readonly prompt: string;
  readonly max_tokens: number;
  readonly seed?: number;
  readonly temperature?: number;
  readonly model?: string;
}

export interface Answer {
  readonly text: string;
  readonly finishReason: string;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly tokens: number;
  readonly nChunks: number;
}

interface Chunk {
  readonly choices: readonly { readonly text: string; readonly finish_reason: string | null }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  } | null;
}

/** The request of a stream, with its counts at the end. */
export function completionRequest(ask: CompletionAsk, headers: object = {}): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ ...ask, stream: true, stream_options: { include_usage: true } }),
  };
}

export async function readAnswer(response: Response): Promise<Answer> {
  assert.ok(response.ok, `${response.status} ${response.ok ? "" : await response.text()}`);
  let body = "",
    nChunks = 0;
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    body += chunk;
    nChunks++;
  }
  const events = body
    .trimEnd()
    .split("\n\n")
    .filter((event) => event !== ": waiting")
    .map((event) => /^data: (.*)$/.exec(event)?.[1] ?? assert.fail(event));
  assert.equal(events.pop(), "[DONE]", body.slice(-500));
  const chunks = events.map((event) => JSON.parse(event) as Chunk),
    { usage } = chunks.at(-1)!;
  assert.ok(usage, body.slice(-500));
  return {
    text: chunks.map(({ choices }) => choices[0]?.text ?? "").join(""),
    finishReason: chunks.at(-2)!.choices[0].finish_reason!,
    promptTokens: usage.prompt_tokens,
    cachedTokens: usage.prompt_tokens_details.cached_tokens,
    tokens: usage.completion_tokens,
    nChunks,
  };
}
