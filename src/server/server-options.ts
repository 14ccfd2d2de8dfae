/**
 * The options of a handler.
 *
 * @module
 */
import type { AnyModel } from "../any-model.ts";
import { fail } from "../core/errors.ts";
import {
  FUNCTION,
  type Kind,
  OBJECT,
  type OptionTable,
  TEXT,
  checkOptions,
  having,
  list,
  number,
  oneOf,
  optional,
  options,
  required,
  whole,
} from "../core/options.ts";

/** Loads a model when the first request names it. */
export type ModelLoader = () => Promise<AnyModel>;

/** A model that is loaded when a request names it, and the memory it will take. */
export interface ModelToLoad {
  /** Loads it. */
  readonly load: ModelLoader;
  /**
   * Bytes it will take (`inspect(…).memory.wasmBytes`), or a function that finds out, so that room is made before it
   * loads.
   */
  readonly memoryBytes: number | (() => Promise<number>);
}

/**
 * Where snapshots of conversations lie: what a conversation has read, so that another process need not read it again.
 * A cache: what is lost, or fails, is read again, and the answers are the same.
 */
export interface SnapshotStore {
  /**
   * Ids that a conversation must have read beyond its last snapshot for another to be written. Default 256. What pays
   * depends on the model: writing costs bytes for each id, reading again costs time.
   */
  readonly minIds?: number;
  /**
   * The snapshot of a name, undefined if there is none.
   * @param key 64 hexadecimal digits: a hash of the names of model, conversation and cache group
   */
  read(key: string): Promise<Uint8Array | undefined>;
  /** Keeps a snapshot instead of the last one of that name. The answer's end waits for it, for 5 s at most. */
  write(key: string, bytes: Uint8Array): Promise<void>;
}

/** A loaded model, which its owner closes; or how to load one, which the handler closes. */
export type ServedModel = AnyModel | ModelLoader | ModelToLoad;

/** Options of {@link createHandler}. */
export interface ServerOptions {
  /** Models by the names that requests give. A request without a name gets the first. */
  readonly models: Readonly<Record<string, ServedModel>>;
  /** Requests answered at once. Default 4. */
  readonly parallel?: number;
  /** Requests that may wait for that; further ones get 429. Default 64. */
  readonly queue?: number;
  /** The time of a request, waiting included; what is written by then is the answer. Milliseconds; default 300,000. */
  readonly timeoutMs?: number;
  /** The most ids of one answer. Default: as many as the context has room for. */
  readonly maxTokens?: number;
  /** The keys that `Authorization: Bearer` may give. Default: none is asked for. */
  readonly apiKeys?: readonly string[];
  /**
   * Names that `Host` may give beside `localhost`, `127.0.0.1` and `[::1]`; `"any"` where the network in front checks
   * them, as on Workers.
   */
  readonly allowedHosts?: readonly string[] | "any";
  /** Origins of other sites' pages that may ask: `https://example.com`. Default: none. */
  readonly allowedOrigins?: readonly string[];
  /** The longest body. Bytes; default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Memory of the models that the handler loads; the one unused for longest makes room. Default: no limit. */
  readonly memoryLimitBytes?: number;
  /** Where conversations with a name (the header `x-conversation-id`) keep what they have read. Default: nowhere. */
  readonly snapshots?: SnapshotStore;
  /** The chat template of all models: a name or a text, as in `chat`. Default: each model's own. */
  readonly chatTemplate?: string;
  /** A stream whose reader takes nothing for so long ends. Milliseconds; default 30,000. */
  readonly slowReaderMs?: number;
  /** A stream that has nothing to say says so as often. Milliseconds; default 15,000. */
  readonly heartbeatMs?: number;
  /** Told of what went wrong inside, which clients are not told. */
  readonly onError?: (error: unknown) => void;
}

/** With defaults. */
export interface ServerSettings extends Omit<ServerOptions, "models"> {
  readonly models: ReadonlyMap<string, ServedModel>;
  readonly parallel: number;
  readonly queue: number;
  readonly timeoutMs: number;
  readonly apiKeys: readonly string[];
  readonly allowedHosts: readonly string[] | "any";
  readonly allowedOrigins: readonly string[];
  readonly maxBodyBytes: number;
  readonly slowReaderMs: number;
  readonly heartbeatMs: number;
}

/** `setTimeout` counts to 2^31 - 1. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** Few enough to be typed, and no key is guessed. */
const KEY_CHARS_MIN = 8;
const NAMES_MAX = 10_000;
const MEBIBYTE = 1024 * 1024;

const LOADED = having<AnyModel>("a model, a function that loads one, or { load, memoryBytes }", "generate", "close");
const BYTES_OR_FUNCTION: Kind<ModelToLoad["memoryBytes"]> = (value, name, code) =>
  typeof value === "function" ? FUNCTION(value, name, code) : number({ min: 0 })(value, name, code);
const TO_LOAD = options<ModelToLoad>({ load: required(FUNCTION), memoryBytes: required(BYTES_OR_FUNCTION) });
const STORE: Kind<SnapshotStore> = (value, name, code) => {
  const store = having<SnapshotStore>("an object with read(key) and write(key, bytes)", "read", "write")(
    value,
    name,
    code,
  );
  optional(whole(1))(store.minIds, `${name}.minIds`, code);
  return store;
};
const MODEL: Kind<ServedModel> = (value, name, code) => {
  if (typeof value === "function") return value as ModelLoader;
  return typeof value === "object" && value !== null && "memoryBytes" in value
    ? TO_LOAD(value, name, code)
    : LOADED(value, name, code);
};
const MODELS: Kind<Readonly<Record<string, ServedModel>>> = (value, name, code) => {
  const entries = Object.entries(OBJECT(value, name, code)).map(
    ([model, given]) => [model, MODEL(given, `${name}[${JSON.stringify(model)}]`, code)] as const,
  );
  return entries.length > 0 ? Object.fromEntries(entries) : fail(code, `${name}: wanted at least one model`);
};
const NAMES = list("a list of names", TEXT, NAMES_MAX);
const KEY: Kind<string> = (value, name, code) => {
  const key = TEXT(value, name, code);
  return /^[\x21-\x7e]+$/.test(key) && key.length >= KEY_CHARS_MIN
    ? key
    : fail(code, `${name}: wanted at least ${KEY_CHARS_MIN} printable characters without blanks`);
};
const MILLISECONDS = number({ above: 0, max: TIMER_MS_MAX });

const SERVER_OPTIONS: OptionTable<ServerOptions> = {
  models: required(MODELS),
  parallel: whole(1, 1024),
  queue: whole(0),
  timeoutMs: MILLISECONDS,
  maxTokens: whole(1),
  apiKeys: list("a list of keys", KEY, NAMES_MAX),
  allowedHosts: (value, name, code) => (value === "any" ? oneOf("any")(value, name, code) : NAMES(value, name, code)),
  allowedOrigins: NAMES,
  maxBodyBytes: whole(1),
  memoryLimitBytes: whole(0),
  snapshots: STORE,
  chatTemplate: TEXT,
  slowReaderMs: MILLISECONDS,
  heartbeatMs: MILLISECONDS,
  onError: FUNCTION,
};

/** @throws OnebitError `option/…` */
export function checkServerOptions(given: ServerOptions): ServerSettings {
  const checked = checkOptions("createHandler", given, SERVER_OPTIONS);
  return {
    parallel: 4,
    queue: 64,
    timeoutMs: 300_000,
    apiKeys: [],
    allowedHosts: [],
    allowedOrigins: [],
    maxBodyBytes: MEBIBYTE,
    slowReaderMs: 30_000,
    heartbeatMs: 15_000,
    ...checked,
    models: new Map(Object.entries(checked.models)),
  };
}
