/**
 * A browser as processes: started with a screen where it needs one, and ended with all it started.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import type { Browser } from "./browser-kinds.ts";

export interface BrowserProcess {
  /** As the browser says it: "156", "2.50". */
  readonly version: string;
  /** Rejects when the browser ends by itself, with the last it said. */
  readonly failed: Promise<never>;
  end(): Promise<void>;
}

const VERSION_TIMEOUT_MS = 60_000;

/** @throws Error that says what could not be started */
export async function startBrowser(browser: Browser, profile: string, url: string): Promise<BrowserProcess> {
  const started: Program[] = [];
  const end = async (): Promise<void> => {
    for (const program of started.reverse()) await program.end();
  };
  const run = (command: string, args: readonly string[], env: NodeJS.ProcessEnv): Program => {
    const program = new Program(command, args, env);
    started.push(program);
    return program;
  };
  try {
    const env = { ...process.env, ...browser.environment?.(profile) },
      binary = browser.binary();
    if (browser.needsScreen)
      env.DISPLAY = `:${await run("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x800x24"], env).says(/\d+(?=\n)/)}`;
    const { stdout } = await promisify(execFile)(binary, ["--version"], { env, timeout: VERSION_TIMEOUT_MS });
    return {
      version: stdout.match(/[1-9]\d+|\d+\.\d+/)?.[0] ?? stdout,
      failed: run(binary, browser.args(profile, url), env).failed,
      end,
    };
  } catch (cause) {
    await end();
    throw new Error(`${nameOf(browser)} cannot be started: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** "WebKitGTK 2.50 with shared memory". */
export function nameOf({ name, given }: Browser, version?: string): string {
  return [name, version, given && `with ${given}`].filter((part) => part !== undefined).join(" ");
}

/** A group of its own: browsers are families of processes. */
class Program {
  readonly failed: Promise<never>;
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #errors = "";

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#process = spawn(command, args, { stdio: ["ignore", "ignore", "pipe", "pipe"], detached: true, env });
    this.#ended = new Promise((resolve) => this.#process.once("exit", () => resolve()).once("error", () => resolve()));
    this.#process.stderr?.on("data", (bytes) => (this.#errors = (this.#errors + String(bytes)).slice(-2000)));
    this.failed = new Promise((_, reject) => {
      this.#process.once("error", reject);
      // The last it said may come after its end.
      this.#process.once("exit", (code, signal) =>
        setTimeout(() => {
          reject(
            new Error(`${command} ended with ${signal ?? `code ${code}`}: ${this.#errors.trim().split("\n").at(-1)}`),
          );
        }, 100),
      );
    });
    // Whoever waits hears of it; nobody must.
    this.failed.catch(() => {});
  }

  /** What it writes to its file 3. */
  says(wanted: RegExp): Promise<string> {
    let text = "";
    const said = new Promise<string>((resolve) =>
      (this.#process.stdio[3] as Readable).on("data", (bytes) => {
        const found = (text += String(bytes)).match(wanted);
        if (found !== null) resolve(found[0]);
      }),
    );
    return Promise.race([said, this.failed]);
  }

  /** With all in its group, also where it ended before them. An X server that is asked to end takes its files along. */
  async end(): Promise<void> {
    const { pid, spawnfile } = this.#process;
    if (pid === undefined) return;
    try {
      process.kill(-pid, spawnfile === "Xvfb" ? "SIGTERM" : "SIGKILL");
    } catch (error) {
      // ESRCH: none is left.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
    await this.#ended;
  }
}
