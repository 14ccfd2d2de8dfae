/**
 * Requests to a handler over the model in the box, which has no template of its own, and its streams as lists.
 */
import type { Model } from "../../src/index.ts";
import { load } from "../../src/load.ts";
import { type Handler, createHandler } from "../../src/server/handler.ts";
import type { ServerOptions } from "../../src/server/server-options.ts";

export const MODEL = "shakespeare";

/** Positions of one conversation, and of four. */
export async function loadShakespeare(): Promise<Model> {
  return await load(undefined, { contextLength: 256, kvPositions: 1024 });
}

export function handlerOf(model: Model, options: Partial<ServerOptions> = {}): Handler {
  return createHandler({ models: { [MODEL]: model }, chatTemplate: "chatml", ...options });
}

/** A POST as clients send it. */
export function post(path: string, body: unknown, init: RequestInit = {}): Request {
  return new Request(`http://localhost${path}`, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
    headers: { "content-type": "application/json", ...init.headers },
  });
}

export const HELLO = [{ role: "user", content: "Hello" }];

export interface Json {
  readonly [name: string]: Json;
  readonly [index: number]: Json;
}

/** The status and the JSON of an answer. */
export async function answered(handler: Handler, request: Request): Promise<{ status: number; json: Json }> {
  const response = await handler(request);
  return { status: response.status, json: (await response.json()) as Json };
}

/** The data of a stream's events. */
export async function eventsOf(response: Response): Promise<string[]> {
  const text = await response.text();
  return text
    .split("\n\n")
    .filter((event) => event.startsWith("data: ") || event.startsWith("event: "))
    .map((event) => event.replace(/^event: .*\n/, "").slice("data: ".length));
}
