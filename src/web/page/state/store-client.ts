/**
 * The page's side of the kept models. Its worker starts with the first call.
 *
 * @module
 */
import { OnebitError } from "../../../core/errors.ts";
import { type Connection, connect } from "../../connection.ts";
import type { Listener } from "../../rpc.ts";
import type { StartWorker } from "../start-worker.ts";
import type { StoreCalls } from "../store-protocol.ts";

export class StoreClient {
  readonly #startWorker: StartWorker;
  #connection: Promise<Connection<StoreCalls>> | undefined;

  constructor(startWorker: StartWorker) {
    this.#startWorker = startWorker;
  }

  /** @throws OnebitError as `pull`, `list` and `remove` of onebit/hub; `engine/worker-failed`, `hub/worker-lost` */
  async call<Name extends keyof StoreCalls>(
    name: Name,
    args: StoreCalls[Name]["args"],
    listener?: Listener<StoreCalls[Name]>,
  ): Promise<StoreCalls[Name]["done"]> {
    const connection = await (this.#connection ??= this.#start());
    return await connection.call(name, args, listener).done;
  }

  /** If it fails, or the worker ends later, the next call starts another. */
  async #start(): Promise<Connection<StoreCalls>> {
    const forget = (): void => {
      this.#connection = undefined;
    };
    try {
      const { worker, started, stop } = await this.#startWorker();
      try {
        const connection = await connect<StoreCalls>(worker, "store", storeLost()).finally(started);
        void connection.ended.then(forget);
        return connection;
      } catch (error) {
        stop();
        throw error;
      }
    } catch (error) {
      forget();
      throw error;
    }
  }
}

function storeLost(): OnebitError {
  return new OnebitError(
    "hub/worker-lost",
    "the worker that keeps models has ended (terminated, or out of memory): go on with the download",
  );
}
