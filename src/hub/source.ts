/**
 * Parses what a caller names a model by: `hf:owner/repo[/file][@revision]`, a URL, or a path.
 *
 * @module
 */
import { fail, quoted } from "../core/errors.ts";

export type ParsedSource = HubSource | UrlSource | { readonly kind: "path" };

export interface HubSource {
  readonly kind: "hub";
  /** `owner/repo` */
  readonly repo: string;
  /** A path in the repository; undefined: we choose. */
  readonly file: string | undefined;
  /** A branch, a tag or a commit; undefined: the main branch. */
  readonly revision: string | undefined;
}

export interface UrlSource {
  readonly kind: "url";
  /** Without its fragment. */
  readonly url: string;
}

/** Whether a source is somewhere else, one to pull: `hf:…` or `http(s)://…`. */
export function isRemoteSource(source: string): boolean {
  return /^(?:hf:|https?:)/i.test(source);
}

export const HUB_URL_DEFAULT = "https://huggingface.co";
export const REVISION_DEFAULT = "main";

const REPO = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9_][\w.-]{0,95}$/;
/** Git's own rules are looser; these are safe as paths and in URLs. */
const REVISION = /^[A-Za-z0-9_][\w.+-]*(?:\/[\w.+-]+)*$/;
export const COMMIT = /^[0-9a-f]{40}$/;

/**
 * Reads a source. A file's or repository's address on the hub, as copied from a browser, is a hub source.
 * @throws OnebitError `hub/bad-source`
 */
export function parseSource(text: string, hubUrl: string): ParsedSource {
  if (/^hf:/i.test(text)) return parseHubSource(text);
  if (!/^https?:/i.test(text)) return { kind: "path" };
  const url = parseUrl(text);
  return fromHubAddress(url, hubUrl) ?? { kind: "url", url: url.href };
}

function parseHubSource(text: string): HubSource {
  const wanted = `${quoted(text)}: wanted hf:owner/repo, hf:owner/repo/file or either with @revision`;
  const rest = text.slice("hf:".length).replace(/^\/\//, "");
  const at = rest.indexOf("@"),
    path = at < 0 ? rest : rest.slice(0, at),
    revision = at < 0 ? undefined : rest.slice(at + 1);
  const [owner = "", name = "", ...file] = path.split("/");
  return checkHubSource({ kind: "hub", repo: `${owner}/${name}`, file: file.join("/") || undefined, revision }, wanted);
}

/** `https://hub/owner/repo/resolve/revision/file`, `…/blob/…`, `…/tree/revision` and `https://hub/owner/repo`. */
function fromHubAddress(url: URL, hubUrl: string): HubSource | undefined {
  const base = new URL(hubUrl),
    folder = base.pathname.replace(/\/+$/, "");
  if (url.origin !== base.origin || !url.pathname.startsWith(`${folder}/`)) return undefined;
  const [owner, name, verb, revision, ...file] = url.pathname
    .slice(folder.length + 1)
    .replace(/\/+$/, "")
    .split("/")
    .map(decoded);
  if (owner === undefined || name === undefined || !REPO.test(`${owner}/${name}`)) return undefined;
  const isRepo = verb === undefined || (verb === "tree" && file.length === 0);
  if (!isRepo && !((verb === "resolve" || verb === "blob") && revision !== undefined && file.length > 0))
    return undefined;
  return checkHubSource(
    { kind: "hub", repo: `${owner}/${name}`, file: file.join("/") || undefined, revision },
    `${quoted(url.href)}: is not the address of a model`,
  );
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function checkHubSource(source: HubSource, wanted: string): HubSource {
  if (!REPO.test(source.repo) || source.repo.includes("..") || source.repo.includes("--"))
    fail("hub/bad-source", wanted);
  if (source.file !== undefined && !isSafePath(source.file)) fail("hub/bad-source", wanted);
  if (source.revision !== undefined) checkRevision(source.revision);
  return source;
}

/** @throws OnebitError `hub/bad-source` */
export function checkRevision(revision: string): string {
  if (REVISION.test(revision) && revision.length <= 200 && isSafePath(revision)) return revision;
  return fail("hub/bad-source", `revision ${quoted(revision)}: wanted the name of a branch or tag, or a commit`);
}

/** Windows takes these names for devices, whatever follows the first dot. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?$/i;

/** True if the path cannot escape its folder or name a device on any OS. */
export function isSafePath(path: string): boolean {
  const isPart = (part: string): boolean =>
    part !== "" && part !== "." && part !== ".." && !/[. ]$/.test(part) && !DEVICE.test(part);
  return path.length <= 1000 && !/[\x00-\x1f\x7f-\x9f\\:*?"<>|]/.test(path) && path.split("/").every(isPart);
}

function parseUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    return fail("hub/bad-source", `${quoted(text)}: is not a URL`, cause);
  }
  if (url.username !== "" || url.password !== "") {
    fail(
      "hub/bad-source",
      `${url.origin}${url.pathname}: contains a name or password; pass them in the option headers instead`,
    );
  }
  url.hash = "";
  return url;
}

/** A URL for messages, without its query, which often carries a signature. */
export function shown(url: string): string {
  const at = url.indexOf("?");
  return at < 0 ? url : `${url.slice(0, at)}?…`;
}
