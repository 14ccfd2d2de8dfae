/**
 * The function from requests to responses: routes, and what every request passes.
 *
 * @module
 */
import { Hono } from "hono/tiny";
import { ApiError, apiErrorOf, errorResponse } from "./api-error.ts";
import { newId, nowSeconds } from "./answer.ts";
import { chatCompletions } from "./chat-endpoint.ts";
import { completions } from "./completion-endpoint.ts";
import { Conversations, conversationOf } from "./conversation.ts";
import { embeddings } from "./embedding-endpoint.ts";
import { KeyCheck, checkHost, checkOrigin, corsHeaders, preflightResponse } from "./guard.ts";
import { pause } from "./life.ts";
import { Metrics } from "./metrics.ts";
import { ModelRoom } from "./model-room.ts";
import { readJson } from "./read-json.ts";
import { responses } from "./responses/endpoint.ts";
import { fieldOfOption } from "./sampling-fields.ts";
import { type ServerOptions, checkServerOptions } from "./server-options.ts";
import { Slots } from "./slots.ts";
import { detokenize, tokenize } from "./token-endpoints.ts";
import { type Service, Visit } from "./visit.ts";

/** Options of {@link Handler.close}. */
export interface CloseOptions {
  /** How long running requests may go on. Milliseconds; default 10,000. */
  readonly deadlineMs?: number;
}

/** Answers requests: `Deno.serve(handler)`, `Bun.serve({ fetch: handler })`, `export default { fetch: handler }`. */
export interface Handler {
  /** Never rejects: what goes wrong is a response. */
  (request: Request): Promise<Response>;
  /** Takes no further requests, lets running ones end, and closes the models it loaded. */
  close(options?: CloseOptions): Promise<void>;
}

type Endpoint = (visit: Visit, body: unknown) => Promise<Response>;

/** What takes a JSON body and computes. */
const POSTS: Readonly<Record<string, Endpoint>> = {
  "/v1/chat/completions": chatCompletions,
  "/v1/completions": completions,
  "/v1/responses": responses,
  "/v1/embeddings": embeddings,
  "/tokenize": tokenize,
  "/detokenize": detokenize,
};

/** Open to all who pass the checks of host and origin: it says nothing. */
const HEALTH = "/health";
const CLOSE_DEADLINE_MS = 10_000;
const LOOK_MS = 20;

/**
 * Models behind OpenAI's HTTP interface: chats, completions, embeddings, streams.
 *
 * @throws OnebitError `option/…`
 * @example
 * ```ts
 * import { load } from "onebit";
 * import { createHandler } from "onebit/server";
 *
 * await using model = await load("model.gguf", { contextLength: 256, kvPositions: 1024 });
 * const handler = createHandler({ models: { small: model } });
 * const response = await handler(new Request("http://localhost/v1/models"));
 * console.log(await response.json());
 * await handler.close();
 * ```
 */
export function createHandler(options: ServerOptions): Handler {
  const settings = checkServerOptions(options);
  const metrics = new Metrics();
  const service: Service = {
    settings,
    room: new ModelRoom(settings.models, settings.memoryLimitBytes),
    slots: new Slots(settings.parallel, settings.queue),
    metrics,
    conversations: new Conversations(settings, metrics),
    visits: new Set(),
    isClosing: false,
  };
  const app = routes(service);
  const handle = async (request: Request): Promise<Response> => {
    const { response, origin } = await guarded(service, app, request);
    const path = new URL(request.url).pathname;
    service.metrics.add("onebit_requests_total", 1, {
      path: KNOWN_PATHS.has(path) ? path : "other",
      status: String(response.status),
    });
    return withHeaders(response, origin);
  };
  return Object.assign(handle, {
    close: ({ deadlineMs = CLOSE_DEADLINE_MS }: CloseOptions = {}) => close(service, deadlineMs),
  });
}

const KNOWN_PATHS: ReadonlySet<string> = new Set([...Object.keys(POSTS), HEALTH, "/metrics", "/v1/models"]);

/** Whether the handler has an answer to a path, so that other paths can be files. */
export function isApiPath(path: string): boolean {
  return KNOWN_PATHS.has(path) || path.startsWith("/v1/");
}

async function guarded(
  { settings }: Service,
  app: ReturnType<typeof routes>,
  request: Request,
): Promise<{ response: Response; origin: string | undefined }> {
  let origin: string | undefined;
  try {
    checkHost(request, settings);
    origin = checkOrigin(request, settings);
    if (request.method === "OPTIONS" && origin !== undefined) return { response: preflightResponse(request), origin };
    return { response: await app.fetch(request), origin };
  } catch (error) {
    return { response: responseOf(error, settings.onError), origin };
  }
}

function responseOf(error: unknown, onError: ServerOptions["onError"]): Response {
  const found = apiErrorOf(error, fieldOfOption);
  if (found.status === 500 || (found.status === 503 && found !== error)) onError?.(error);
  return errorResponse(found);
}

function withHeaders(response: Response, origin: string | undefined): Response {
  const headers = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": newId("req_"),
    ...(origin === undefined ? {} : corsHeaders(origin)),
  };
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

function routes(service: Service): Hono {
  const { settings, room } = service,
    keys = new KeyCheck(settings.apiKeys),
    app = new Hono(),
    created = nowSeconds();
  const modelObject = (id: string) => ({ id, object: "model", created, owned_by: "onebit" });
  app.get(HEALTH, () =>
    service.isClosing ? Response.json({ status: "closing" }, { status: 503 }) : Response.json({ status: "ok" }),
  );
  app.use("*", async (context, next) => {
    if (context.req.path !== HEALTH) await keys.check(context.req.raw);
    await next();
  });
  for (const [path, endpoint] of Object.entries(POSTS))
    app.post(path, async (context) => await answer(service, endpoint, context.req.raw));
  app.get("/v1/models", () => Response.json({ object: "list", data: room.names.map(modelObject) }));
  // Names may have slashes: owner/repo.
  app.get("/v1/models/:name{.+}", (context) => Response.json(modelObject(room.nameOf(context.req.param("name")))));
  app.get("/metrics", () => new Response(metricsText(service), { headers: { "content-type": METRICS_TYPE } }));
  for (const path of KNOWN_PATHS)
    app.all(path, () => {
      const allow = path in POSTS ? "POST" : "GET";
      throw new ApiError(405, "method_not_allowed", `wanted ${allow}`, { headers: { allow } });
    });
  app.notFound(() => errorResponse(new ApiError(404, "not_found", "there is nothing at this path")));
  app.onError((error) => responseOf(error, settings.onError));
  return app;
}

async function answer(service: Service, endpoint: Endpoint, request: Request): Promise<Response> {
  const visit = new Visit(service, request);
  try {
    visit.throwIfStopped();
    conversationOf(request);
    return await endpoint(visit, await readJson(request, service.settings.maxBodyBytes));
  } catch (error) {
    visit.fail(error);
    visit.end();
    throw error;
  }
}

const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

function metricsText({ metrics, slots, room }: Service): string {
  metrics.set("onebit_requests_running", slots.nHeld);
  metrics.set("onebit_requests_waiting", slots.nWaiting);
  metrics.clear("onebit_model_memory_bytes");
  for (const { name, model } of room.loaded)
    metrics.set("onebit_model_memory_bytes", model.memory.wasmBytes, { model: name });
  return metrics.toText();
}

async function close(service: Service, deadlineMs: number): Promise<void> {
  service.isClosing = true;
  const end = performance.now() + deadlineMs;
  while (service.visits.size > 0 && performance.now() < end) await pause(LOOK_MS);
  for (const visit of service.visits) visit.stop("closing");
  // Streams tell their readers.
  for (let i = 0; service.visits.size > 0 && i < 50; i++) await pause(LOOK_MS);
  await service.room.close();
}
