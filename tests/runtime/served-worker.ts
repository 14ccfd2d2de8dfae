/**
 * examples/worker, bundled as a deployment is and served by workerd: over the bindings of its own wrangler.jsonc, with
 * the objects of a bucket coming from here and the storage of its Durable Objects in a folder.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { build } from "esbuild";

const EXAMPLE = "examples/worker";
const START_TIMEOUT_MS = 30_000;
const LINES_SHOWN = 20;

export interface ServedWorker {
  readonly url: string;
  readonly pid: number;
  /** Whether it runs, or how it ended, and the last lines it wrote. */
  state(): string;
  stop(): Promise<void>;
}

/**
 * The newest workerd that is known, and the oldest that the example's README allows: that of the last wrangler for Node
 * 20.
 */
const WORKERDS = { newest: "@cloudflare/workerd-linux-", oldest: "workerd-oldest-linux-" } as const;
export type WorkerdAge = keyof typeof WORKERDS;

/** Undefined where it is not installed. */
export function workerdBinary(age: WorkerdAge = "newest"): string | undefined {
  const below = ".ci/runtimes/node_modules";
  const found = existsSync(below)
    ? readdirSync(below, { recursive: true })
        .map(String)
        .find((file) => file.startsWith(WORKERDS[age]) && file.endsWith("/bin/workerd"))
    : undefined;
  return found && resolve(below, found);
}

/**
 * Writes `worker.js` and `config.capnp` to a folder where the package is installed.
 * @param modelFiles objects of the bucket that may be asked for
 */
export async function buildWorker(
  folder: string,
  bucketUrl: string,
  binary: string,
  modelFiles: readonly string[],
): Promise<void> {
  const kernels = new Set<string>();
  await build({
    entryPoints: [`${EXAMPLE}/src/index.ts`],
    outfile: join(folder, "worker.js"),
    bundle: true,
    format: "esm",
    target: "es2022",
    logLevel: "warning",
    conditions: ["workerd"],
    nodePaths: [join(folder, "node_modules")],
    plugins: [
      {
        name: "compiled-wasm",
        setup({ onResolve }) {
          onResolve({ filter: /\.wasm$/ }, ({ path }) => {
            kernels.add(path.replace(/^\.\//, ""));
            return { path: path.replace(/^\.\//, ""), external: true };
          });
        },
      },
    ],
  });
  mkdirSync(join(folder, "storage"), { recursive: true });
  writeFileSync(
    join(folder, "config.capnp"),
    workerdConfig([...kernels], new URL(bucketUrl).host, dayOf(binary), modelFiles),
  );
}

/**
 * The day up to which it knows the rules: it refuses a later compatibility date, and wrangler gives it its own then.
 */
function dayOf(binary: string): string {
  return /\d{4}-\d\d-\d\d/.exec(execFileSync(binary, ["--version"], { encoding: "utf8" }))![0];
}

function workerdConfig(kernels: readonly string[], bucket: string, day: string, modelFiles: readonly string[]): string {
  // Comments on lines of their own are all that makes it JSON with comments.
  const wrangler = JSON.parse(readFileSync(`${EXAMPLE}/wrangler.jsonc`, "utf8").replace(/^\s*\/\/.*$/gm, "")) as {
    readonly compatibility_date: string;
    readonly compatibility_flags: readonly string[];
    readonly r2_buckets: readonly { readonly binding: string }[];
    readonly durable_objects: { readonly bindings: readonly { readonly name: string; readonly class_name: string }[] };
  };
  const modules = [
    `(name = "worker.js", esModule = embed "worker.js")`,
    ...kernels.map((name) => `(name = "${name}", wasm = embed "node_modules/onebit/dist/${name}")`),
  ];
  const objects = wrangler.durable_objects.bindings;
  const namespaces = objects.map(
    ({ class_name }) => `(className = "${class_name}", uniqueKey = "${class_name}", enableSql = true)`,
  );
  const bindings = [
    ...wrangler.r2_buckets.map(({ binding }) => `(name = "${binding}", r2Bucket = "bucket")`),
    `(name = "MODEL_FILES", json = ${JSON.stringify(JSON.stringify(modelFiles))})`,
    ...objects.map((object) => `(name = "${object.name}", durableObjectNamespace = "${object.class_name}")`),
  ];
  return `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [
        (name = "main", worker = .main),
        (name = "bucket", external = (address = "${bucket}", http = ())),
        (name = "storage", disk = (path = "storage", writable = true)),
      ],
      sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
    );
    const main :Workerd.Worker = (
      compatibilityDate = "${[wrangler.compatibility_date, day].sort()[0]}",
      compatibilityFlags = ${JSON.stringify(wrangler.compatibility_flags)},
      modules = [${modules.join(", ")}], bindings = [${bindings.join(", ")}],
      durableObjectNamespaces = [${namespaces.join(", ")}],
      durableObjectStorage = (localDisk = "storage"),
    );`;
}

/** @param log a file for what it writes: through a pipe it would wait for us where we compute */
export async function serveWorker(
  folder: string,
  binary: string,
  log = join(folder, "workerd.log"),
): Promise<ServedWorker> {
  const output = openSync(log, "w");
  // It says on descriptor 3 which port it took.
  const child = spawn(binary, ["serve", "--control-fd=3", "config.capnp"], {
    cwd: folder,
    stdio: ["ignore", output, output, "pipe"],
  });
  closeSync(output);
  const state = (): string => {
    const { exitCode, signalCode } = child,
      runs = exitCode === null && signalCode === null;
    return `workerd ${runs ? "runs" : `ended with ${exitCode ?? signalCode}`}; it wrote last:\n${lastLinesOf(log)}`;
  };
  const port = await portOf(child, state);
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    state,
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function lastLinesOf(log: string): string {
  return readFileSync(log, "utf8").trimEnd().split("\n").slice(-LINES_SHOWN).join("\n");
}

function portOf(child: ChildProcess, state: () => string): Promise<number> {
  return new Promise((resolve, reject) => {
    let told = "";
    const timer = setTimeout(
      () => reject(new Error(`workerd does not listen within ${START_TIMEOUT_MS / 1000} s: ${told}; ${state()}`)),
      START_TIMEOUT_MS,
    );
    child.once("error", reject);
    child.once("exit", () => reject(new Error(state())));
    (child.stdio[3] as Readable).on("data", (data) => {
      told += String(data);
      const port = /"event":"listen".*"port":(\d+)/.exec(told)?.[1];
      if (port === undefined) return;
      clearTimeout(timer);
      resolve(Number(port));
    });
  });
}

/**
 * A bucket as R2's binding speaks to it: the question in a header, or before the bytes that are put; the answer's
 * metadata before the object's bytes. All bindings are this one bucket.
 */
export class FakeBucket {
  readonly objects = new Map<string, Uint8Array>();
  /** Ranges asked for so far. */
  readonly reads: { readonly begin: number; readonly length: number }[] = [];
  /** Waited for before each. */
  beforeRead: () => Promise<void> | void = () => {};
  readonly #server: Server;
  readonly #etags = new WeakMap<Uint8Array, string>();

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const { headers } = request;
      if (request.method === "PUT") return await this.#put(request, response);
      const { method, object, range, onlyIf } = JSON.parse(String(headers["cf-r2-request"])) as {
        method: string;
        object: string;
        range?: { offset: string; length: string };
        onlyIf?: { etagMatches?: { value: string }[] };
      };
      if (method === "get") await this.beforeRead();
      const bytes = this.objects.get(object);
      if (bytes === undefined)
        return void response
          .writeHead(404, { "cf-r2-error": JSON.stringify({ version: 1, v4code: 10007, message: "no such object" }) })
          .end();
      const etag = this.#etagOf(bytes),
        matches = onlyIf?.etagMatches?.some(({ value }) => value === etag) ?? true;
      const metadata = JSON.stringify({ ...metadataOf(object, bytes, etag), range });
      const send = (status: number, headers: Record<string, string>, body: Uint8Array): void =>
        void response
          .writeHead(status, {
            ...headers,
            "cf-r2-metadata-size": String(metadata.length),
            "content-length": String(metadata.length + body.length),
          })
          .end(Buffer.concat([Buffer.from(metadata), body]));
      if (!matches)
        return send(
          412,
          { "cf-r2-error": JSON.stringify({ version: 1, v4code: 10031, message: "precondition failed" }) },
          new Uint8Array(),
        );
      const begin = Number(range?.offset ?? 0),
        length = Number(range?.length ?? bytes.length);
      if (method === "get") this.reads.push({ begin, length });
      send(200, {}, method === "head" ? new Uint8Array() : bytes.subarray(begin, begin + length));
    });
  }

  async #put(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks),
      headBytes = Number(request.headers["cf-r2-metadata-size"]);
    const { object } = JSON.parse(body.subarray(0, headBytes).toString()) as { object: string },
      bytes = new Uint8Array(body.subarray(headBytes));
    this.objects.set(object, bytes);
    const metadata = JSON.stringify(metadataOf(object, bytes, this.#etagOf(bytes)));
    response.writeHead(200, { "cf-r2-metadata-size": String(metadata.length) }).end(metadata);
  }

  static async start(): Promise<FakeBucket> {
    const bucket = new FakeBucket();
    await new Promise<void>((resolve) => bucket.#server.listen(0, "127.0.0.1", resolve));
    return bucket;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #etagOf(bytes: Uint8Array): string {
    const etag = this.#etags.get(bytes) ?? createHash("md5").update(bytes).digest("hex");
    this.#etags.set(bytes, etag);
    return etag;
  }
}

function metadataOf(name: string, { length }: Uint8Array, etag: string): object {
  const none = { httpFields: {}, customFields: [], checksums: {} };
  return { name, version: etag, size: length, etag, uploaded: 0, ...none };
}
