/**
 * Reports progress to the caller while a model downloads.
 *
 * @module
 */
import { SpeedMeter } from "./speed.ts";

/** How far a download is. */
export interface PullProgress {
  /** `waiting`: another process or tab downloads the same file. */
  readonly phase: "waiting" | "downloading" | "verifying";
  /** The file it is about. */
  readonly file: string;
  /** Of all files of the model, what was there before included. While verifying: of this file. */
  readonly doneBytes: number;
  /** Undefined while a server does not say. */
  readonly totalBytes: number | undefined;
  /** Over the last seconds. */
  readonly bytesPerSecond: number;
  /** Until all is done at this speed; undefined while nothing can be said. */
  readonly remainingMs: number | undefined;
}

/** Nobody sees more frequent reports. */
const TELL_MS = 100;

/** Sums over the files of one model and reports to the caller, not too often. */
export class ProgressTeller {
  readonly #tell: ((progress: PullProgress) => void) | undefined;
  readonly #now: () => number;
  /** Bytes and totals of files by name; a restarted file starts over. */
  readonly #files = new Map<string, { doneBytes: number; totalBytes: number | undefined }>();
  #meter: SpeedMeter | undefined;
  #toldMs = -Infinity;
  /** Bytes over the network. */
  fetchedBytes = 0;

  constructor(tell: ((progress: PullProgress) => void) | undefined, now: () => number = () => performance.now()) {
    this.#tell = tell;
    this.#now = now;
  }

  /** Names the files to come, so totals are right from the start. */
  expect(files: readonly { readonly name: string; readonly sizeBytes: number | undefined }[]): void {
    for (const { name, sizeBytes } of files) this.#files.set(name, { doneBytes: 0, totalBytes: sizeBytes });
  }

  waiting(file: string): void {
    this.#say("waiting", file, this.#sum());
  }

  begin(file: string, doneBytes: number, totalBytes: number | undefined): void {
    this.#files.set(file, { doneBytes, totalBytes });
    this.#meter ??= new SpeedMeter(this.#now());
    this.#say("downloading", file, this.#sum());
  }

  came(file: string, bytes: number): void {
    const entry = this.#files.get(file);
    if (entry !== undefined) entry.doneBytes += bytes;
    this.fetchedBytes += bytes;
    this.#meter?.add(bytes, this.#now());
    if (this.#now() - this.#toldMs >= TELL_MS) this.#say("downloading", file, this.#sum());
  }

  /** The file is there, fetched or not. */
  done(file: string, sizeBytes: number): void {
    this.#files.set(file, { doneBytes: sizeBytes, totalBytes: sizeBytes });
    if (this.#meter !== undefined) this.#say("downloading", file, this.#sum());
  }

  /** For one file: returns a function to report hashed bytes to. */
  verifying(file: string, totalBytes: number): (bytes: number) => void {
    const meter = new SpeedMeter(this.#now());
    let doneBytes = 0;
    return (bytes) => {
      doneBytes += bytes;
      meter.add(bytes, this.#now());
      if (this.#now() - this.#toldMs >= TELL_MS) this.#say("verifying", file, { doneBytes, totalBytes }, meter);
    };
  }

  #sum(): { doneBytes: number; totalBytes: number | undefined } {
    const files = [...this.#files.values()];
    const doneBytes = files.reduce((sum, file) => sum + file.doneBytes, 0);
    const isKnown = files.every(({ totalBytes }) => totalBytes !== undefined);
    return {
      doneBytes,
      totalBytes: isKnown ? files.reduce((sum, { totalBytes }) => sum + (totalBytes ?? 0), 0) : undefined,
    };
  }

  #say(
    phase: PullProgress["phase"],
    file: string,
    sum: { doneBytes: number; totalBytes: number | undefined },
    meter = this.#meter,
  ): void {
    if (this.#tell === undefined) return;
    const nowMs = this.#now();
    this.#toldMs = nowMs;
    const speed = meter?.speed((sum.totalBytes ?? 0) - sum.doneBytes, nowMs);
    const remainingMs = sum.totalBytes === undefined ? undefined : speed?.remainingMs;
    this.#tell({ phase, file, ...sum, bytesPerSecond: speed?.bytesPerSecond ?? 0, remainingMs });
  }
}
