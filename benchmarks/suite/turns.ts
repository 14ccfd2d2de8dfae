/** Engines that take turns at the same work, so that a busy moment of the machine meets all of them. */
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

/** What runs models. One that cannot run here says why when it is asked to. */
export interface Engine {
  readonly name: string;
  /** Rounds that it takes part in, where it is too slow for all of them. */
  readonly maxRounds?: number;
  /** Less work than is asked of the others, where it is too slow for that. Speeds are by the token all the same. */
  readonly reduce?: (work: Work) => Work;
  measure(work: Work): Promise<Speed>;
  /** Frees what it keeps from one turn to the next. */
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

/** Engines that fail once are asked no more. */
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

/** The median of the rounds' ratios: what disturbed a round met both of its sides. Undefined where one is absent. */
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
