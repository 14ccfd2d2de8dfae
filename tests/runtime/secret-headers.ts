/**
 * Models behind redirects that a browser does not show, asked for with secrets: what a page does. Runs anywhere.
 */
import type { platformWithHub as PlatformWithHub, pull as Pull } from "../../src/hub.ts";

export const SECRETS = { "X-Api-Key": "secret", Authorization: "Basic secret" };
export const TOKEN = "hf_secret";
export const REPOSITORY = "owner/model";
export const COMMIT = "b".repeat(40);

/** "ok" or the code of the error, by what was asked for. */
export type SecretHeadersReport = Readonly<Record<"open" | "guarded" | "token", string>>;

/** @param origin of a server that sends on to another origin: from `/guarded/` and the repository only with secrets */
export async function askWithSecrets(
  { pull, platformWithHub }: { pull: typeof Pull; platformWithHub: typeof PlatformWithHub },
  origin: string,
): Promise<SecretHeadersReport> {
  const platform = platformWithHub(),
    options = { platform, attempts: 1, backoffMs: 1 };
  const codeOf = (asked: Promise<unknown>): Promise<string> =>
    asked.then(
      () => "ok",
      (error: { code?: string; message: string }) => error.code ?? error.message,
    );
  // What the browser does by itself: without this the test could not fail.
  await fetch(`${origin}/control/m.gguf`, { headers: { "X-Api-Key": SECRETS["X-Api-Key"] } });
  return {
    open: await codeOf(pull(`${origin}/open/m.gguf`, { ...options, headers: SECRETS })),
    guarded: await codeOf(pull(`${origin}/guarded/m.gguf`, { ...options, headers: SECRETS })),
    token: await codeOf(pull(`hf:${REPOSITORY}`, { ...options, hubUrl: origin, token: TOKEN })),
  };
}
