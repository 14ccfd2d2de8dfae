/** Matrix products: onebit, tfjs in its two ways, and the peak of the engine, in turns. */
import type { Contestant } from "./contestant.ts";
import { median, medianRatio } from "./median.ts";
import type { Programs } from "./programs.ts";
import { FORMS, type Form, PRODUCT_SIZES, type ProductSize, productFlops } from "./sizes.ts";

export interface ProductRow extends ProductSize {
  readonly threads: number;
  readonly form: Form;
  /** FLOP/s. `peer` is tfjs as well as its backend can, `library` with the transposing flags of its own gradients. */
  readonly peak: number;
  readonly onebit: number;
  readonly peer: number | undefined;
  readonly library: number | undefined;
  /** Medians of the rounds' ratios. */
  readonly shareOfPeak: number;
  readonly ratio: number | undefined;
}

export interface ProductOptions {
  readonly rounds: number;
  /** About how long a measurement repeats its product. */
  readonly seconds: number;
}

interface Round {
  readonly peak: number;
  readonly onebit: number;
  readonly peer: number;
  readonly library: number;
}

/** One contestant's way of computing its prepared product. */
interface Timed {
  readonly contestant: Contestant;
  readonly args: { readonly way?: string; readonly times: number };
}

export async function measureProducts(
  programs: Programs,
  threads: number,
  options: ProductOptions,
): Promise<ProductRow[]> {
  const peak = await programs.start("peak", threads),
    onebit = await programs.start("onebit", threads);
  const peer = programs.peerInstalled ? await programs.start("tfjs", threads) : undefined;
  const rows: ProductRow[] = [];
  for (const size of PRODUCT_SIZES) {
    for (const form of FORMS) {
      process.stderr.write(`${threads} threads, ${form} ${size.rows} × ${size.inputs} × ${size.outputs}\n`);
      rows.push(
        summary(size, form, threads, await measureOne({ peak, onebit, peer }, size, form, options), peer !== undefined),
      );
    }
  }
  for (const contestant of [peak, onebit, peer]) await contestant?.stop();
  return rows;
}

interface Contestants {
  readonly peak: Contestant;
  readonly onebit: Contestant;
  readonly peer: Contestant | undefined;
}

async function measureOne(
  { peak, onebit, peer }: Contestants,
  size: ProductSize,
  form: Form,
  { rounds, seconds }: ProductOptions,
): Promise<Round[]> {
  const flops = productFlops(size),
    speed = async (timed: Timed | undefined) =>
      timed ? flops / (await timed.contestant.call<number>("time", timed.args)) : NaN;
  for (const contestant of [onebit, peer]) await contestant?.call("product", { ...size, form });
  const own = await timed(onebit, undefined, seconds),
    best = peer && (await timed(peer, "fast", seconds));
  // Without transposing flags both ways are one.
  const library = peer && form !== "forward" ? await timed(peer, "library", seconds) : undefined;
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    measured.push({
      peak: await peak.call<number>("peak", { seconds: seconds / 3 }),
      onebit: await speed(own),
      peer: await speed(best),
      library: await speed(library),
    });
  }
  return measured;
}

/** Warms up, since engines recompile hot code, then repeats for `seconds`. */
async function timed(contestant: Contestant, way: string | undefined, seconds: number): Promise<Timed> {
  const first = await contestant.call<number>("time", { way, times: 2 });
  const second = await contestant.call<number>("time", { way, times: repeats(seconds, first) });
  return { contestant, args: { way, times: repeats(seconds, second) } };
}

function repeats(seconds: number, each: number): number {
  return Math.max(1, Math.round(seconds / each));
}

function summary(
  size: ProductSize,
  form: Form,
  threads: number,
  rounds: readonly Round[],
  hasPeer: boolean,
): ProductRow {
  const of = (key: keyof Round) => median(rounds.map((round) => round[key]));
  return {
    ...size,
    form,
    threads,
    peak: of("peak"),
    onebit: of("onebit"),
    peer: hasPeer ? of("peer") : undefined,
    library: hasPeer && form !== "forward" ? of("library") : undefined,
    shareOfPeak: medianRatio(rounds, "onebit", "peak"),
    ratio: hasPeer ? medianRatio(rounds, "onebit", "peer") : undefined,
  };
}
