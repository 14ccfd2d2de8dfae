/** Engines take turns at the same work, so that a busy moment of the machine hits all of them. */
import { median } from "../train/median.ts";

export interface Speed {
  readonly loadMs: number;
  readonly promptTokensPerSecond: number;
  readonly tokensPerSecond: number;
}

export interface Work {
  /** Path of the model. */
  readonly file: string;
  readonly threads: number;
  readonly promptTokens: number;
  readonly tokens: number;
  /** Times that an engine in a process of its own measures in a turn. */
  readonly repeats: number;
}

/** An engine. One that cannot run here throws the reason. */
export interface Engine {
  readonly name: string;
  /** Fewer rounds, if it is too slow for all. */
  readonly maxRounds?: number;
  /** Less work than the others, if it is too slow; speeds are per token anyway. */
  readonly reduce?: (work: Work) => Work;
  measure(work: Work): Promise<Speed>;
  /** Frees what it keeps between turns. */
  rest(): Promise<void>;
}

export interface EngineResult {
  readonly engine: string;
  readonly work: Work;
  readonly speed: Speed;
  /** Of each of its rounds. */
  readonly rounds: readonly Speed[];
}

export interface Absence {
  readonly name: string;
  readonly reason: string;
}

export interface Turns {
  readonly results: EngineResult[];
  readonly absent: Absence[];
}

/** Engines that failed once do not run again. */
export async function takeTurns(
  engines: readonly Engine[],
  work: Work,
  nRounds: number,
  note: (line: string) => void,
): Promise<Turns> {
  const speeds = engines.map((): Speed[] => []),
    failures = engines.map((): string | undefined => undefined);
  try {
    for (let round = 0; round < nRounds; round++) {
      for (const [i, engine] of engines.entries()) {
        if (failures[i] !== undefined || round >= (engine.maxRounds ?? Infinity)) continue;
        note(`round ${round + 1}, ${engine.name}`);
        try {
          speeds[i].push(await engine.measure(workOf(engine, work)));
        } catch (error) {
          failures[i] = (error as Error).message.split("\n")[0];
          note(`${engine.name}: ${failures[i]}`);
        }
      }
    }
  } finally {
    for (const engine of engines) await engine.rest();
  }
  return {
    results: engines.flatMap((engine, i) =>
      failures[i] === undefined
        ? [{ engine: engine.name, work: workOf(engine, work), speed: medians(speeds[i]), rounds: speeds[i] }]
        : [],
    ),
    absent: engines.flatMap(({ name }, i) => (failures[i] === undefined ? [] : [{ name, reason: failures[i] }])),
  };
}

const workOf = (engine: Engine, work: Work): Work => engine.reduce?.(work) ?? work;

/** The median of the rounds' ratios: a disturbance in a round hits both sides. Undefined if one is absent. */
export function speedRatio(
  above: EngineResult | undefined,
  below: EngineResult | undefined,
  key: "promptTokensPerSecond" | "tokensPerSecond",
): number | undefined {
  if (!above || !below) return undefined;
  const nShared = Math.min(above.rounds.length, below.rounds.length);
  return median(Array.from({ length: nShared }, (_, i) => above.rounds[i][key] / below.rounds[i][key]));
}

function medians(speeds: readonly Speed[]): Speed {
  const of = (key: keyof Speed): number => median(speeds.map((speed) => speed[key]));
  return {
    loadMs: of("loadMs"),
    promptTokensPerSecond: of("promptTokensPerSecond"),
    tokensPerSecond: of("tokensPerSecond"),
  };
}
