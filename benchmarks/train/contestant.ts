/**
 * Processes that take turns: each waits idle until it is called to measure.
 *
 * A contestant is a program whose messages are calls by name. Answers come one by one, in order.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { ClockName } from "./clock.ts";

export interface OpenOptions {
  readonly threads: number;
  readonly clock: ClockName;
}

export type Calls = Readonly<Record<string, (args: never) => unknown>>;

export class Contestant {
  readonly #process: ChildProcess;
  readonly #name: string;

  private constructor(name: string, program: string, args: readonly string[]) {
    this.#name = name;
    this.#process = fork(program, args, { serialization: "advanced" });
  }

  /** Starts `program` and calls its `open`; `description` is the answer. */
  static async start(
    name: string,
    program: string,
    options: OpenOptions,
    args: readonly string[] = [],
  ): Promise<Contestant & { description: string }> {
    const contestant = new Contestant(name, program, args);
    return Object.assign(contestant, { description: await contestant.call<string>("open", options) });
  }

  async call<Result>(name: string, args: object = {}): Promise<Result> {
    return new Promise((resolve, reject) => {
      const died = (code: number | null): void =>
        reject(new Error(`${this.#name} ended with code ${code} during ${name}`));
      this.#process.once("exit", died);
      this.#process.once("message", (message: { result?: Result; error?: string }) => {
        this.#process.off("exit", died);
        if (message.error === undefined) resolve(message.result as Result);
        else reject(new Error(`${this.#name}, ${name}: ${message.error}`));
      });
      this.#process.send({ name, args });
    });
  }

  /** Ends the program. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.disconnect();
    await ended;
  }
}

/** The other end, in the program itself. */
export function answer(calls: Calls): void {
  process.on("message", ({ name, args }: { name: string; args: never }) => {
    Promise.resolve()
      .then(() => calls[name](args))
      .then(
        (result) => process.send!({ result }),
        (error: Error) => process.send!({ error: error.stack }),
      );
  });
  process.on("disconnect", () => process.exit());
}
