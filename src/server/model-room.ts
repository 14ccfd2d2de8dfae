/**
 * The models of a handler: which are loaded, who uses them, and which makes room for another.
 *
 * @module
 */
import type { AnyModel } from "../any-model.ts";
import { fail } from "../core/errors.ts";
import { didYouMean } from "../core/nearest-name.ts";
import { ApiError } from "./api-error.ts";
import { type Life, pause } from "./life.ts";
import type { ModelLoader, ServedModel } from "./server-options.ts";

/** How often a request looks whether another has loaded its model. */
const LOOK_MS = 20;
const RETRY_AFTER_S = 5;

interface Place {
  readonly name: string;
  /** Absent for a model that its owner has loaded. */
  readonly load: ModelLoader | undefined;
  /** Finds out what it will take. */
  readonly plan: (() => Promise<number>) | undefined;
  /** As far as it is known. */
  memoryBytes: number;
  model: AnyModel | undefined;
  /** The request that loads it. */
  loading: Life | undefined;
  /** Of the last loading that failed: those who waited for it are told, those who come later try again. */
  failure: { readonly error: unknown } | undefined;
  users: Life[];
}

export class ModelRoom {
  /** Least recently used first. */
  readonly #places: Place[] = [];
  readonly #first: string;
  readonly #names: readonly string[];
  readonly #limitBytes: number;
  #isClosed = false;

  constructor(models: ReadonlyMap<string, ServedModel>, limitBytes = Infinity) {
    for (const [name, served] of models) this.#places.push(placeOf(name, served));
    this.#names = [...models.keys()];
    this.#first = this.#names[0];
    this.#limitBytes = limitBytes;
  }

  get names(): readonly string[] {
    return this.#names;
  }

  /** Those that are loaded. */
  get loaded(): readonly { readonly name: string; readonly model: AnyModel }[] {
    return this.#places.flatMap(({ name, model }) => (model === undefined ? [] : [{ name, model }]));
  }

  /** The name of the model a request gets. @throws ApiError 404 */
  nameOf(asked: string | undefined): string {
    if (asked === undefined) return this.#first;
    if (this.#names.includes(asked)) return asked;
    // The names themselves are no secret: /v1/models lists them.
    const there = didYouMean(asked, this.#names) || `: there are ${this.#names.slice(0, 20).join(", ")}`;
    throw new ApiError(404, "model_not_found", `no such model${there}`, { param: "model" });
  }

  /**
   * The model, loaded if need be, for as long as `life` lasts.
   * @throws OnebitError as its loader; ApiError 503 where models in use leave no room
   */
  async borrow(name: string, life: Life, signal: AbortSignal): Promise<AnyModel> {
    const place = this.#places.find((one) => one.name === name)!;
    const before = place.failure;
    bury(place);
    place.users.push(life);
    while (place.model === undefined) {
      if (place.loading === undefined || place.loading.isOver) await this.#load(place, life);
      else await pause(LOOK_MS, signal);
      if (place.failure !== undefined && place.failure !== before) throw place.failure.error;
      if (signal.aborted) throw new ApiError(503, "aborted", "stopped while the model was loading");
    }
    // Last in the order of use.
    this.#places.push(...this.#places.splice(this.#places.indexOf(place), 1));
    return place.model;
  }

  /** A model that cannot go on: the next request loads it again. Owners' models stay. */
  async forget(model: AnyModel): Promise<void> {
    const place = this.#places.find((one) => one.model === model);
    if (place !== undefined) await closePlace(place);
  }

  /** Closes what was loaded here, and what is still loading when it is there. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#places.map((place) => closePlace(place)));
  }

  async #load(place: Place, life: Life): Promise<void> {
    const { load } = place;
    place.loading = life;
    try {
      if (place.plan !== undefined) place.memoryBytes = await place.plan();
      await this.#makeRoom(place);
      const model = await load!();
      place.memoryBytes = model.memory.wasmBytes;
      try {
        // Where the size was not known before. Nobody has the model yet, so it can still be closed.
        await this.#makeRoom(place);
        if (this.#isClosed) throw new ApiError(503, "shutting_down", "the server is ending", { type: "server_error" });
      } catch (error) {
        await model.close();
        throw error;
      }
      place.model = model;
    } catch (error) {
      place.failure = { error };
    } finally {
      place.loading = undefined;
    }
  }

  /**
   * Closes models at rest, least recently used first, until `wanted` fits.
   * @throws OnebitError `model/not-enough-memory`; ApiError 503 where others are in use
   */
  async #makeRoom(wanted: Place): Promise<void> {
    const used = (): number =>
      this.#places
        .filter((place) => place === wanted || (place.load && (place.model ?? place.loading)))
        .reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
    // Others need not go for what does not fit alone.
    if (wanted.memoryBytes > this.#limitBytes)
      fail("model/not-enough-memory", `wanted ${wanted.memoryBytes} bytes, the models may take ${this.#limitBytes}`);
    while (used() > this.#limitBytes) {
      const atRest = this.#places.find((place) => place !== wanted && isAtRest(place));
      if (atRest === undefined)
        throw new ApiError(503, "no_room", "other models are in use and leave no room for this one: try again", {
          type: "server_error",
          headers: { "retry-after": String(RETRY_AFTER_S) },
        });
      await closePlace(atRest);
    }
  }
}

function placeOf(name: string, served: ServedModel): Place {
  const place = { name, model: undefined, loading: undefined, failure: undefined, users: [], plan: undefined };
  if (typeof served === "function") return { ...place, load: served, memoryBytes: 0 };
  if ("memoryBytes" in served) {
    const { load, memoryBytes: bytes } = served;
    return typeof bytes === "number"
      ? { ...place, load, memoryBytes: bytes }
      : { ...place, load, plan: bytes, memoryBytes: 0 };
  }
  return { ...place, load: undefined, memoryBytes: served.memory.wasmBytes, model: served };
}

/** Forgets users that have gone: a model may have millions. */
function bury(place: Place): void {
  place.users = place.users.filter((user) => !user.isOver);
}

function isAtRest(place: Place): boolean {
  bury(place);
  return place.load !== undefined && place.model !== undefined && place.users.length === 0;
}

async function closePlace(place: Place): Promise<void> {
  const { model, load } = place;
  if (model === undefined || load === undefined) return;
  place.model = undefined;
  await model.close();
}
