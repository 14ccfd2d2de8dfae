/**
 * One request from its slot in the queue to its end: what it holds, what stops it, and its time.
 *
 * @module
 */
import type { AnyContext, AnyModel } from "../any-model.ts";
import { OnebitError } from "../core/errors.ts";
import { ApiError } from "./api-error.ts";
import { type Conversations, type OpenConversation, conversationOf } from "./conversation.ts";
import { Life } from "./life.ts";
import type { Metrics } from "./metrics.ts";
import type { ModelRoom } from "./model-room.ts";
import type { ServerSettings } from "./server-options.ts";
import type { Slots } from "./slots.ts";

/** Why a request ends early: its client has left, reads too slowly, its time is over, or the server ends. */
export type StopReason = "left" | "slow" | "deadline" | "closing";

const WHEN_STOPPED: Readonly<Record<StopReason, ApiError>> = {
  left: new ApiError(499, "client_left", "the client has left"),
  slow: new ApiError(499, "client_slow", "the client reads too slowly", { type: "server_error" }),
  deadline: new ApiError(504, "request_timeout", "the time of the request was over before anything was written", {
    type: "server_error",
  }),
  closing: new ApiError(503, "shutting_down", "the server is ending", {
    type: "server_error",
    headers: { "retry-after": "5" },
  }),
};

const LOST: readonly string[] = ["engine/thread-lost", "engine/worker-lost"];

/** What a request says of its contexts. */
export interface ContextsWanted {
  /** By a name of /v1/models. */
  readonly modelName: string;
  readonly cacheGroup: string | undefined;
}

/** What the requests of a handler share. */
export interface Service {
  readonly settings: ServerSettings;
  readonly room: ModelRoom;
  readonly slots: Slots;
  readonly metrics: Metrics;
  readonly conversations: Conversations;
  readonly visits: Set<Visit>;
  /** Whether no further requests are taken. */
  isClosing: boolean;
}

/** Made for each request; whoever makes it must end it. */
export class Visit {
  readonly service: Service;
  /** Fires when the request must stop. */
  readonly signal: AbortSignal;
  readonly beganMs = performance.now();
  readonly #life = new Life();
  readonly #controller = new AbortController();
  readonly #contexts: AnyContext[] = [];
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #unlisten: () => void;
  #reason: StopReason = "left";
  #model: AnyModel | undefined;
  readonly #request: Request;
  #conversation: OpenConversation | undefined;

  constructor(service: Service, request: Request) {
    const client = request.signal;
    this.service = service;
    this.#request = request;
    this.signal = this.#controller.signal;
    const onLeft = (): void => this.stop("left");
    client.addEventListener("abort", onLeft);
    this.#unlisten = () => client.removeEventListener("abort", onLeft);
    this.#timer = setTimeout(() => this.stop("deadline"), service.settings.timeoutMs);
    service.visits.add(this);
    if (client.aborted) this.stop("left");
    else if (service.isClosing) this.stop("closing");
  }

  /** Why it was stopped; undefined while it was not. */
  get stopReason(): StopReason | undefined {
    return this.signal.aborted ? this.#reason : undefined;
  }

  stop(reason: StopReason): void {
    if (this.signal.aborted) return;
    this.#reason = reason;
    this.#controller.abort(reason);
  }

  /** @throws ApiError when it was stopped */
  throwIfStopped(): void {
    if (this.stopReason !== undefined) throw WHEN_STOPPED[this.stopReason];
  }

  /**
   * Waits for a slot, then for the model.
   * @throws ApiError 429 when too many wait, 503, 504; OnebitError as the model's loader
   */
  async enter(modelName: string): Promise<AnyModel> {
    this.throwIfStopped();
    await this.service.slots.take(this.#life, this.signal);
    this.throwIfStopped();
    const model = await this.service.room.borrow(modelName, this.#life, this.signal).catch((error: unknown) => {
      this.throwIfStopped();
      throw error;
    });
    this.throwIfStopped();
    this.#model = model;
    return model;
  }

  /** To be told of what it fails with: a model that lost a part of itself never answers again. */
  fail(error: unknown): void {
    if (this.#model === undefined || !(error instanceof OnebitError) || !LOST.includes(error.code)) return;
    // What closing it says changes nothing.
    this.service.room.forget(this.#model).catch(() => {});
  }

  /** A context of its own for a choice, closed at its end. The first goes on with the conversation that was named. */
  async context(model: AnyModel, { modelName, cacheGroup }: ContextsWanted, choice: number): Promise<AnyContext> {
    const options = cacheGroup === undefined ? {} : { cacheGroup },
      name = choice === 0 ? conversationOf(this.#request) : undefined;
    if (name !== undefined) {
      const { conversations } = this.service;
      this.#conversation = await conversations.open(model, [modelName, name], options, this.signal);
    }
    const context =
      this.#conversation !== undefined && choice === 0 ? this.#conversation.context : await model.context(options);
    this.#contexts.push(context);
    return context;
  }

  /** Keeps what the named conversation has read. Never rejects. */
  async keepConversation(): Promise<void> {
    await this.#conversation?.keep(this.signal);
  }

  /** Gives everything back; ending twice is fine. */
  end(): void {
    clearTimeout(this.#timer);
    this.#unlisten();
    for (const context of this.#contexts.splice(0)) void closed(context);
    this.#life.end();
    const isFirst = this.service.visits.delete(this);
    if (isFirst && this.stopReason !== undefined)
      this.service.metrics.add("onebit_stopped_total", 1, { reason: this.stopReason });
  }
}

/** Never rejects: a context of a model that was closed, or lost its worker, is gone with it. */
async function closed(context: AnyContext): Promise<void> {
  try {
    await context.close();
  } catch {
    // Whoever computes in it is told.
  }
}
