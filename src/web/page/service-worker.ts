/**
 * The service worker: keeps the files of one build of the page, and answers from them, network or not.
 *
 * It fetches a new build completely beside the old one and switches when no tab shows the old one: a page never sees
 * files of two builds. Answers carry the headers that isolate a page, so that threads work even if the host cannot send
 * them.
 *
 * @module
 */
import { likelyVariants } from "./likely-variants.ts";
import { type BuiltFile, PAGE_BUILD, PAGE_FILES } from "./page-build.ts";

/** The part of the standard that TypeScript declares for workers only. */
interface ServiceWorkerScope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: "install" | "activate", listener: (event: LifetimeEvent) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchingEvent) => void): void;
}
interface LifetimeEvent {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchingEvent {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

const scope = globalThis as unknown as ServiceWorkerScope;
const PREFIX = "onebit-page-";
const CACHE = PREFIX + PAGE_BUILD;

const ISOLATION: Readonly<Record<string, string>> = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

scope.addEventListener("install", (event) => event.waitUntil(fetchAll()));
scope.addEventListener("activate", (event) => event.waitUntil(takeOver()));
scope.addEventListener("fetch", (event) => {
  const name = ownFile(event.request);
  if (name !== undefined) event.respondWith(answer(name, event.request));
});

/** All or nothing: never installs an incomplete build. */
async function fetchAll(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll(
    wantedFiles(PAGE_FILES).map((name) => new Request(new URL(name, scope.registration.scope), { cache: "reload" })),
  );
}

/** Skips kernels of variants that this browser never requests. */
function wantedFiles(files: readonly BuiltFile[]): BuiltFile[] {
  const [variant] = likelyVariants(),
    isKernel = (name: string): boolean => name.startsWith("kernels.");
  return files.filter((name) => !isKernel(name) || new RegExp(`^kernels\\.${variant}(?:-threads)?\\.wasm$`).test(name));
}

/** Also of the page that registered this: its next request, for a model or a kernel, works offline already. */
async function takeOver(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)),
  );
  await scope.clients.claim();
}

/** The page's file for a request; undefined for anything else. */
function ownFile(request: Request): string | undefined {
  const url = new URL(request.url),
    { scope: base } = scope.registration;
  if (request.method !== "GET" || !url.href.startsWith(base)) return undefined;
  const name = url.href.slice(base.length).replace(/[?#].*$/, "");
  if (name === "" || request.mode === "navigate")
    return name === "" || name === "index.html" ? "index.html" : undefined;
  return PAGE_FILES.includes(name) ? name : undefined;
}

async function answer(name: string, request: Request): Promise<Response> {
  const kept = await (await caches.open(CACHE)).match(new URL(name, scope.registration.scope).href),
    found = kept ?? (await fetch(request));
  // Passes redirected and opaque answers on unchanged.
  if (found.type === "opaque" || found.type === "opaqueredirect" || found.type === "error") return found;
  const headers = new Headers(found.headers);
  for (const [header, value] of Object.entries(ISOLATION)) headers.set(header, value);
  return new Response(found.body, { status: found.status, statusText: found.statusText, headers });
}
