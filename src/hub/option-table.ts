/**
 * The table of the hub's options; apart from the code that uses them, which loads only with a model.
 *
 * @module
 */
import { fail, shown } from "../core/errors.ts";
import { HUB_BACKOFF_MS_MAX } from "../core/limits.ts";
import { BOOLEAN, FUNCTION, type Kind, OBJECT, type OptionTable, TEXT, kind, number, whole } from "../core/options.ts";
import type { HubOptions } from "./options.ts";

/** Timers wrap around above 2^31 − 1. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** What HTTP allows in header names and values. A copy: what is sent is what was checked. */
const HEADERS: Kind<Readonly<Record<string, string>>> = (value, name, code) =>
  Object.fromEntries(
    Object.entries(OBJECT(value, name, code)).map(([header, text]) => {
      if (!/^[\w!#$%&'*+.^`|~-]+$/.test(header)) fail(code, `${name}: ${shown(header)} is not a header name`);
      // The message must not repeat a secret.
      return typeof text === "string" && /^[\t\x20-\x7e\x80-\xff]*$/.test(text)
        ? [header, text]
        : fail(code, `${name}: ${header}: wanted one line of text`);
    }),
  );

export const HUB_OPTIONS: OptionTable<HubOptions> = {
  token: TEXT,
  revision: TEXT,
  sha256: kind<string>("64 hexadecimal digits", (value) => typeof value === "string" && /^[0-9a-f]{64}$/i.test(value)),
  offline: BOOLEAN,
  refresh: BOOLEAN,
  verify: BOOLEAN,
  hubUrl: TEXT,
  headers: HEADERS,
  timeoutMs: number({ min: 1, max: TIMER_MS_MAX }),
  attempts: whole(1),
  backoffMs: number({ min: 0, max: HUB_BACKOFF_MS_MAX }),
  onProgress: FUNCTION,
};
