/**
 * Four processes of `onebit serve` behind Debian's nginx, with the configuration of docs/scale.md. One is killed every
 * few seconds and started again, while conversations go on: every answer is the one that the library gives alone.
 *
 * `.ci/run cluster` brings nginx. ONEBIT_CLUSTER_S makes it longer, ONEBIT_KILL_S kills as seldom (seconds).
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { type Model, load } from "../../../src/index.ts";
import { type Random, seededRandom } from "../../synthetic/random.ts";

const CLI = resolve("dist/cli.js");
const SECONDS = Number(process.env.ONEBIT_CLUSTER_S ?? 15);
const KILL_S = Number(process.env.ONEBIT_KILL_S ?? 2);
const N_PROCESSES = 4;
const N_CLIENTS = 8;
const START_TIMEOUT_MS = 30_000;
/** Long enough for a snapshot after a turn or two. */
const OPENING = "KING HENRY V:\nOnce more unto the breach, dear friends, once more;\n".repeat(3);
/** A conversation is begun anew before it outgrows the 512 positions of its model. */
const CHARS_MAX = 420;

const nginx = ["/usr/sbin/nginx", "/usr/bin/nginx"].find((path) => {
  try {
    execFileSync(path, ["-v"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});
const skip = nginx !== undefined ? false : "nginx is not installed: .ci/run cluster brings it";

/** One process of the server, on a port that it keeps. */
class Served {
  readonly port: number;
  readonly #snapshots: string;
  #child: ChildProcess | undefined;

  constructor(port: number, snapshots: string) {
    this.port = port;
    this.#snapshots = snapshots;
  }

  async start(): Promise<void> {
    const args = [`--port=${this.port}`, "--threads=1", "--parallel=8", `--snapshots=${this.#snapshots}`],
      child = spawn(process.execPath, [CLI, "serve", ...args], { stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    await new Promise<void>((done, failed) => {
      child.stdout.once("data", () => done());
      child.once("exit", (code) => failed(new Error(`the server ended with ${code}`)));
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await ended;
    this.#child = undefined;
  }
}

async function freePorts(n: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: n },
      () =>
        new Promise<ReturnType<typeof createServer>>((done) => {
          const server = createServer().listen(0, "127.0.0.1", () => done(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** The configuration that the documentation has, with other ports. */
function configOf(ports: readonly number[], listen: number): string {
  let config = /```nginx\n([\s\S]*?)```/
    .exec(readFileSync("docs/scale.md", "utf8"))![1]
    .replace("127.0.0.1:8080", `127.0.0.1:${listen}`);
  ports.forEach((port, i) => (config = config.replace(`127.0.0.1:${8081 + i}`, `127.0.0.1:${port}`)));
  assert.ok(!/:80\d\d/.test(config), "every port was replaced");
  return config;
}

function mainConfig(folder: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  // Run as root it would give its workers to a user who may not enter the folder.
  return `${process.getuid?.() === 0 ? "user root;" : ""}
    daemon off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; worker_processes 1;
    events { worker_connections 512; }
    http { access_log off; ${temporary.join(" ")} include ${folder}/onebit.conf; }`;
}

interface Counts {
  answers: number;
  brokenOff: number;
  kills: number;
}

describe("four processes behind nginx", { skip }, () => {
  let folder: string, model: Model, proxy: ChildProcess, served: readonly Served[], url: string;
  const counts: Counts = { answers: 0, brokenOff: 0, kills: 0 };

  before(async () => {
    mkdirSync("build", { recursive: true });
    folder = mkdtempSync(resolve("build/cluster-"));
    model = await load(undefined, { threads: 1 });
    const [listen, ...ports] = await freePorts(N_PROCESSES + 1);
    served = ports.map((port) => new Served(port, join(folder, "snapshots")));
    await Promise.all(served.map((process) => process.start()));
    writeFileSync(join(folder, "onebit.conf"), configOf(ports, listen));
    writeFileSync(join(folder, "nginx.conf"), mainConfig(folder));
    proxy = spawn(nginx!, ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "nginx.log")]);
    url = `http://127.0.0.1:${listen}`;
    for (const end = Date.now() + START_TIMEOUT_MS; ; await pause(50)) {
      const response = await fetch(`${url}/health`).catch(() => undefined);
      if (response?.status === 200) break;
      assert.ok(Date.now() < end, readFileSync(join(folder, "nginx.log"), "utf8"));
    }
  });
  after(async () => {
    await Promise.all(served.map((process) => process.kill()));
    proxy.kill();
    await model.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Undefined where the answer broke off. */
  async function ask(conversation: string, body: object): Promise<string | undefined> {
    const headers = { "content-type": "application/json", "x-conversation-id": conversation },
      init = { method: "POST", headers, body: JSON.stringify(body) };
    const response = await fetch(`${url}/v1/completions`, init);
    if (!("stream" in body)) {
      const json = (await response.json()) as { choices: { text: string }[] };
      // A whole answer never breaks off: nginx asks the next process.
      assert.equal(response.status, 200, JSON.stringify(json));
      return json.choices[0].text;
    }
    assert.equal(response.status, 200);
    const events = await response.text().catch(() => "");
    if (!events.includes("data: [DONE]")) return undefined;
    const chunks = [...events.matchAll(/^data: (\{.*)$/gm)].map(
      ([, data]) => JSON.parse(data) as { choices: { text: string }[] },
    );
    return chunks.map(({ choices }) => choices[0].text).join("");
  }

  async function turn(conversation: string, prompt: string, random: Random): Promise<string> {
    const maxTokens = 4 + (random.u32() % 30),
      seed = random.u32() % 1000,
      stream = random.u32() % 2 === 0 ? { stream: true } : {};
    const alone = await model.generate(prompt, { maxTokens, seed }).text();
    for (let tries = 0; tries < 5; tries++) {
      const text = await ask(conversation, { prompt, max_tokens: maxTokens, seed, ...stream });
      if (text === undefined) {
        counts.brokenOff++;
        continue;
      }
      counts.answers++;
      assert.equal(text, alone);
      return text;
    }
    return assert.fail("an answer broke off five times");
  }

  test("conversations go on, with the answers that the library gives alone", async (t) => {
    const end = Date.now() + SECONDS * 1000;
    const client = async (seed: number): Promise<void> => {
      const random = seededRandom(seed);
      for (let name = randomUUID(), said = OPENING; Date.now() < end; ) {
        const prompt = `${said}\n${["O", "ROMEO:", "Speak,"][random.u32() % 3]}`;
        said = prompt + (await turn(name, prompt, random));
        if (said.length > CHARS_MAX) [name, said] = [randomUUID(), OPENING];
      }
    };
    const killer = async (): Promise<void> => {
      for (let i = 0; ; i++) {
        await pause(KILL_S * 1000);
        if (Date.now() >= end) return;
        const victim = served[i % N_PROCESSES];
        await victim.kill();
        counts.kills++;
        await pause(200);
        await victim.start();
      }
    };
    await Promise.all([...Array.from({ length: N_CLIENTS }, (_, i) => client(i + 1)), killer()]);
    const restored = await sumOf('onebit_snapshots_total{outcome="restored"}'),
      failed = await sumOf('onebit_snapshots_total{outcome="failed"}');
    t.diagnostic(`${JSON.stringify(counts)}, ${restored} restored by the processes that live`);
    assert.ok(counts.kills >= 1 && counts.answers > N_CLIENTS);
    assert.equal(failed, 0);
  });

  test("a conversation that moves goes on from its snapshot, not from its beginning", async () => {
    const name = randomUUID(),
      random = seededRandom(99);
    const prompt = `${OPENING}\nO${OPENING.slice(0, 60)}`,
      said = `${prompt}${await turn(name, prompt, random)}\nROMEO:`;
    // All of them, so that none has it in its cache.
    await Promise.all(served.map((process) => process.kill()));
    await Promise.all(served.map((process) => process.start()));
    await pause(2500); // nginx asks them again
    await turn(name, said, random);
    assert.equal(await sumOf('onebit_snapshots_total{outcome="restored"}'), 1);
  });

  /** Over all processes. */
  async function sumOf(metric: string): Promise<number> {
    const texts = await Promise.all(
      served.map(async ({ port }) => await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
    );
    const values = texts.map((text) => text.split("\n").find((line) => line.startsWith(`${metric} `)));
    return values.reduce((sum, line) => sum + Number(line?.slice(metric.length) ?? 0), 0);
  }
});
