/**
 * The options for getting a model, and the context made from them.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";
import type { ByteSource } from "../core/byte-source.ts";
import type { HubPlatform } from "../core/model-store.ts";
import { TIMEOUT_MS_DEFAULT } from "./http.ts";
import type { Http } from "./http.ts";
import { ProgressTeller } from "./progress.ts";
import type { PullProgress } from "./progress.ts";
import { ATTEMPTS_DEFAULT, BACKOFF_MS_DEFAULT } from "./retry.ts";
import { HUB_URL_DEFAULT, checkRevision } from "./source.ts";

/** How a model is fetched and kept. */
export interface HubOptions {
  /** For private and gated repositories. Default: the environment variable HF_TOKEN. Sent to the hub only. */
  readonly token?: string;
  /** A branch, tag or commit of a repository. Default: what the source says, else `main`. */
  readonly revision?: string;
  /** 64 hexadecimal digits that the file must have; for a model of one file. */
  readonly sha256?: string;
  /** Never touch the network. Default: the environment variable HF_HUB_OFFLINE. */
  readonly offline?: boolean;
  /**
   * Ask the server of a plain URL again whether its file has changed; without it a file that is there is used. Default:
   * false.
   */
  readonly refresh?: boolean;
  /** Hash files that are there although they were before and look untouched. Default: false. */
  readonly verify?: boolean;
  /** Where the hub is. Default: the environment variable HF_ENDPOINT, else https://huggingface.co. */
  readonly hubUrl?: string;
  /** Headers for a plain URL, sent to its own host only. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The longest time without an answer, or with next to nothing coming. Default: 30,000. */
  readonly timeoutMs?: number;
  /** Failed tries in a row, each without a byte, before giving up. Default: 6. */
  readonly attempts?: number;
  /** The wait after the first failed try; it doubles with each. Default: 500. */
  readonly backoffMs?: number;
  /** Told at most ten times a second. */
  readonly onProgress?: (progress: PullProgress) => void;
}

/** A file of a model that is on this machine. */
export interface PulledFile {
  /** Its path in the repository, or its name in the URL. */
  readonly name: string;
  /** Its size. */
  readonly sizeBytes: number;
  /** `sha256:…`, or `git-sha1:…` for small files of a repository. Undefined when nobody said what it should be. */
  readonly hash: string | undefined;
  /** Where other programs find it; undefined in browsers. */
  readonly path: string | undefined;
}

/** A model that is on this machine. */
export interface PulledModel {
  /** The source in full: repository, file and commit, or the URL. */
  readonly source: string;
  /** What its files are. */
  readonly format: "gguf" | "safetensors" | "other";
  /** The commit, for a repository. */
  readonly commit: string | undefined;
  /** The first is the one to open. */
  readonly files: readonly PulledFile[];
  /** Why these files. */
  readonly reason: string;
  /** Other models that were there to choose. */
  readonly others: readonly string[];
  /** Bytes that came over the network this time. */
  readonly fetchedBytes: number;
  /** Whether the network was tried and not reached: the files were there before and may not be the newest. */
  readonly isStale: boolean;
  /** Opens one of `files` by the last part of its name. @throws OnebitError `file/not-found`, `file/read` */
  open(name: string): Promise<ByteSource>;
}

/** The options with all defaults, and what they need to run. */
export interface PullContext {
  readonly platform: HubPlatform;
  readonly hubUrl: string;
  readonly revision: string | undefined;
  readonly sha256: string | undefined;
  readonly offline: boolean;
  readonly refresh: boolean;
  readonly verify: boolean;
  /** For the hub, and for plain URLs. */
  readonly hubHttp: Http;
  readonly urlHttp: (url: string) => Http;
  readonly progress: ProgressTeller;
  readonly signal: AbortSignal;
}

/** @param options checked by their table (option-table.ts) @throws OnebitError `option/invalid`, `hub/bad-source` */
export function pullContext(
  platform: HubPlatform,
  options: HubOptions,
  signal: AbortSignal = new AbortController().signal,
): PullContext {
  const hubUrl = checkHubUrl(options.hubUrl ?? platform.environment("HF_ENDPOINT") ?? HUB_URL_DEFAULT);
  const token = checkToken(options.token ?? platform.environment("HF_TOKEN"));
  const {
      timeoutMs = TIMEOUT_MS_DEFAULT,
      attempts = ATTEMPTS_DEFAULT,
      backoffMs = BACKOFF_MS_DEFAULT,
      headers,
    } = options,
    retry = { attempts, backoffMs };
  const http: Http = { fetch: platform.fetch, signal, retry, timeoutMs };
  return {
    platform,
    hubUrl,
    signal,
    revision: options.revision === undefined ? undefined : checkRevision(options.revision),
    sha256: options.sha256?.toLowerCase(),
    offline: options.offline ?? isTrue(platform.environment("HF_HUB_OFFLINE")),
    refresh: options.refresh ?? false,
    verify: options.verify ?? false,
    hubHttp:
      token === undefined
        ? http
        : { ...http, secrets: { origin: new URL(hubUrl).origin, headers: { authorization: `Bearer ${token}` } } },
    urlHttp: (url) => (headers === undefined ? http : { ...http, secrets: { origin: new URL(url).origin, headers } }),
    progress: new ProgressTeller(options.onProgress),
  };
}

function checkHubUrl(text: string): string {
  if (!/^https?:\/\/[^/?#@]+(?:\/[^?#]*)?$/i.test(text) || !URL.canParse(text))
    fail("option/invalid", `hubUrl: wanted http://… or https://…, got ${quoted(text)}`);
  return text.replace(/\/+$/, "");
}

/** The message must not repeat a secret. */
function checkToken(token: string | undefined): string | undefined {
  if (token === undefined || token === "") return undefined;
  return /^[\x21-\x7e]+$/.test(token)
    ? token
    : fail("option/invalid", "token: wanted letters, digits and signs without blanks");
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(?:1|on|yes|true)$/i.test(text);
}
