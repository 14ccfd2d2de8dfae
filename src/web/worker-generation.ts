/**
 * A generation in a worker: pieces arrive as messages.
 *
 * @module
 */
import { fail } from "../core/errors.ts";
import type { AnyGeneration, GenerationResult, Piece } from "../index.ts";
import type { Call } from "./rpc.ts";

type OnPiece = ((piece: Piece) => void) | undefined;

/**
 * One generation: iterate it for pieces, or await {@link WorkerGeneration.text} or {@link WorkerGeneration.result}.
 *
 * Nothing runs before the first of these; it can be iterated once. Leaving the loop early ends it as "aborted". The
 * worker computes at most 32 pieces ahead of the loop.
 *
 * @example
 * ```ts
 * import { loadInWorker } from "onebit/worker";
 *
 * const model = await loadInWorker("model.gguf", { contextLength: 256 });
 * for await (const { text } of model.generate("Once", { maxTokens: 4 })) console.log(text);
 * await model.close();
 * ```
 */
export class WorkerGeneration implements AnyGeneration {
  readonly #start: (onPiece: OnPiece) => Call<GenerationResult>;
  #isStarted = false;
  #resolve: (result: Promise<GenerationResult>) => void = () => {};
  readonly #result = new Promise<GenerationResult>((resolve) => {
    this.#resolve = resolve;
  });

  /** @internal */
  constructor(start: (onPiece: OnPiece) => Call<GenerationResult>) {
    this.#start = (onPiece) => {
      try {
        return start(onPiece);
      } catch (error) {
        // Wrong options, like all errors, reach whoever iterates or waits.
        const done = Promise.reject<GenerationResult>(error);
        done.catch(() => {});
        return { done, consumed() {}, abort() {} };
      }
    };
    this.#result.catch(() => {});
  }

  /**
   * Runs it, a piece for each id.
   * @throws OnebitError `option/invalid` the second time
   */
  [Symbol.asyncIterator](): AsyncIterator<Piece> {
    if (this.#isStarted)
      fail("option/invalid", "a generation can be iterated only once: keep its pieces, or call generate again");
    this.#isStarted = true;
    return this.#run();
  }

  /** Everything about the finished generation. Runs it to its end unless someone is iterating. */
  async result(): Promise<GenerationResult> {
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#resolve(this.#start(undefined).done);
    }
    return this.#result;
  }

  /** The whole text. */
  async text(): Promise<string> {
    return (await this.result()).text;
  }

  async *#run(): AsyncGenerator<Piece, void, void> {
    const arrived: Piece[] = [];
    let wake = (): void => {},
      isOver = false;
    const call = this.#start((piece) => (arrived.push(piece), wake()));
    this.#resolve(call.done);
    const over = (): void => ((isOver = true), wake());
    call.done.then(over, over);
    try {
      while (!isOver || arrived.length > 0) {
        const piece = arrived.shift();
        if (piece === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        call.consumed();
        yield piece;
      }
      await call.done;
    } finally {
      if (!isOver) call.abort();
      // The model has stopped by the time the consumer leaves the loop.
      await call.done.catch(() => {});
    }
  }
}
