/**
 * A handler on a port of this machine, in Node: limits of connections, and the chat page beside it.
 *
 * @module
 */
import { getRequestListener } from "@hono/node-server";
import { type IncomingMessage, type Server, createServer } from "node:http";
import { isKnownHost } from "./guard.ts";
import { type Handler, isApiPath } from "./handler.ts";
import { folderAnswers, listen, urlOf } from "./static-server.ts";

export { folderSnapshots } from "./folder-snapshots.ts";
export { createHandler } from "./handler.ts";

export interface NodeServerOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** As the handler's. */
  readonly allowedHosts: readonly string[];
  /** The folder of a page for paths that the handler does not have. */
  readonly pageFolder: string | undefined;
  /** The longest time of a request, in which a connection may be silent. */
  readonly timeoutMs: number;
}

export interface NodeServer {
  /** With a final slash. */
  readonly url: string;
  /** Takes no further connections, lets requests end until the deadline, and closes the handler. */
  close(deadlineMs: number): Promise<void>;
}

/**
 * Node's own limits are 60 s for the headers, 300 s for a request, and none for the rest. Each connection takes some
 * 50 kB.
 */
const LIMITS = { headersTimeoutMs: 10_000, requestTimeoutMs: 30_000, connectionsMax: 1024, requestsPerSocket: 1000 };
/** Beside the time of a request. */
const IDLE_MS = 60_000;
const CHECK_MS = 1_000;

/**
 * @throws OnebitError `file/not-found` without the page, `option/invalid` when the port or host is unavailable
 * @param limits tests take shorter ones
 */
export async function startNodeServer(
  handler: Handler,
  options: NodeServerOptions,
  limits = LIMITS,
): Promise<NodeServer> {
  const { host, port, allowedHosts, pageFolder, timeoutMs } = options,
    answerFile = pageFolder === undefined ? undefined : await folderAnswers(pageFolder);
  const answerApi = getRequestListener(handler, { overrideGlobalObjects: false });
  const server = createServer({
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, limits.headersTimeoutMs),
  });
  server.maxConnections = limits.connectionsMax;
  server.maxRequestsPerSocket = limits.requestsPerSocket;
  server.timeout = timeoutMs + IDLE_MS;
  server.on("request", (request, response) => {
    const isFile = answerFile !== undefined && isFileRequest(request, allowedHosts);
    const answered = isFile ? answerFile(request, response) : answerApi(request, response);
    answered.catch(() => response.destroy());
  });
  const address = await listen(server, host, port);
  return { url: urlOf(address), close: (deadlineMs) => closeBoth(server, handler, deadlineMs) };
}

/** What the handler refuses, it refuses for files too: requests under the names of other sites. */
function isFileRequest({ method, url = "/", headers }: IncomingMessage, allowedHosts: readonly string[]): boolean {
  const isRead = method === "GET" || method === "HEAD";
  return isRead && url.startsWith("/") && isKnownHost(headers.host ?? "", allowedHosts) && !isApiPath(pathOf(url));
}

function pathOf(url: string): string {
  return url.replace(/[?#].*$/, "");
}

async function closeBoth(server: Server, handler: Handler, deadlineMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await handler.close({ deadlineMs });
  server.closeAllConnections();
  await closed;
}
