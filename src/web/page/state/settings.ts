/**
 * The settings: sampling and appearance. Every field has a row with its range.
 *
 * @module
 */
export type Theme = "system" | "light" | "dark";

export interface Settings {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly maxTokens: number;
  /** Undefined for a new one each time. */
  readonly seed: number | undefined;
  /** Instructions before a chat. */
  readonly system: string;
  readonly theme: Theme;
}

export type NumberSetting = "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty" | "maxTokens";

export interface NumberRow {
  readonly name: NumberSetting;
  readonly label: string;
  readonly hint: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly preset: number;
}

/** `SamplingOptions`' ranges, narrowed to useful values. */
export const NUMBER_SETTINGS: readonly NumberRow[] = [
  {
    name: "temperature",
    label: "Temperature",
    hint: "0 always takes the likeliest word; higher is more surprising",
    min: 0,
    max: 2,
    step: 0.05,
    preset: 0.7,
  },
  {
    name: "topK",
    label: "Top k",
    hint: "Draw from this many likeliest tokens; 0 is all",
    min: 0,
    max: 200,
    step: 1,
    preset: 40,
  },
  {
    name: "topP",
    label: "Top p",
    hint: "Draw from the fewest tokens that together have this chance",
    min: 0.05,
    max: 1,
    step: 0.05,
    preset: 0.95,
  },
  {
    name: "minP",
    label: "Min p",
    hint: "Leave out tokens less likely than this part of the likeliest",
    min: 0,
    max: 0.5,
    step: 0.01,
    preset: 0,
  },
  {
    name: "repetitionPenalty",
    label: "Repetition penalty",
    hint: "Above 1 makes words that were just used less likely",
    min: 0.8,
    max: 2,
    step: 0.05,
    preset: 1,
  },
  {
    name: "maxTokens",
    label: "Longest answer, in tokens",
    hint: "Where an answer ends at the latest",
    min: 16,
    max: 2048,
    step: 16,
    preset: 256,
  },
];

export const THEMES: readonly Theme[] = ["system", "light", "dark"];

const SYSTEM_CHARS_MAX = 4000;

export const DEFAULT_SETTINGS: Settings = {
  ...(Object.fromEntries(NUMBER_SETTINGS.map(({ name, preset }) => [name, preset])) as Record<NumberSetting, number>),
  seed: undefined,
  system: "",
  theme: "system",
};

/** Reads settings from any value: missing or wrong fields get their presets. */
export function settingsFrom(found: unknown): Settings {
  const values = (typeof found === "object" && found !== null ? found : {}) as Record<string, unknown>;
  const numbers = NUMBER_SETTINGS.map((row) => [row.name, withinRow(row, values[row.name])]);
  const { seed, system, theme } = values;
  return {
    ...(Object.fromEntries(numbers) as Record<NumberSetting, number>),
    seed: typeof seed === "number" && Number.isSafeInteger(seed) && seed >= 0 ? seed : undefined,
    system: typeof system === "string" ? system.slice(0, SYSTEM_CHARS_MAX) : "",
    theme: THEMES.find((one) => one === theme) ?? "system",
  };
}

function withinRow({ min, max, step, preset }: NumberRow, value: unknown): number {
  if (typeof value !== "number" || !(value >= min && value <= max)) return preset;
  return Number.isInteger(step) ? Math.round(value) : value;
}
