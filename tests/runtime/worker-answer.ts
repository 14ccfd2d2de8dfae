/** What examples/worker answers with, read to its end. */
import assert from "node:assert/strict";

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly end: { stopReason: string; promptTokens: number; cachedTokens: number; tokens: number };
  readonly nChunks: number;
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
    .map((event) => /^event: (.*)\ndata: (.*)$/.exec(event) ?? assert.fail(event));
  const last = events.at(-1)!;
  assert.equal(last[1], "end", last[2]);
  const text = events
    .slice(0, -1)
    .map(([, , data]) => JSON.parse(data) as string)
    .join("");
  return { status: response.status, text, end: JSON.parse(last[2]) as Answer["end"], nChunks };
}
