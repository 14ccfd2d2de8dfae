/** What each generator of hostile input gives to the campaign that runs them all. */
import type { Random } from "../../synthetic/random.ts";

/** What became of one input. */
export interface Attempt {
  /**
   * `accepted`, or the code of the `OnebitError` that refused it: counted, so that a test can tell a generator that
   * only makes rubbish.
   */
  readonly outcome: string;
  /** Size of the input: onebit may hold three times as much, and 64 MB. */
  readonly inputBytes: number;
}

export interface HostileGenerator {
  readonly name: string;
  /** Its share of all inputs, beside the other generators': 1 for those that take a millisecond, less for slow ones. */
  readonly weight: number;
  /**
   * Makes one input from `random` and gives it to onebit as a user would.
   * @throws whatever onebit throws that is no `OnebitError`, and an assertion for a wrong answer: the campaign counts
   * both as found
   */
  tryOne(random: Random): Attempt | Promise<Attempt>;
}
