/** The JSON file of a piece: results, and where, when and on what they were measured. */
import type { ProfileReport } from "../profile/report.ts";
import type { TrainReport } from "../train/report.ts";
import type { ModelName } from "./models.ts";
import type { Absence, EngineResult } from "./turns.ts";

export interface ModelsData {
  readonly kind: "models";
  readonly model: ModelName;
  readonly modelBytes: number;
  readonly threads: number;
  readonly results: readonly EngineResult[];
}

export interface SizesData {
  readonly kind: "sizes";
  readonly model: ModelName;
  readonly rows: readonly {
    readonly nLayers: number;
    readonly nVocab: number;
    readonly modelBytes: number;
    readonly threads: number;
    readonly tokensPerSecond: number;
  }[];
}

export interface PositionsData {
  readonly kind: "positions";
  readonly model: ModelName;
  readonly rows: readonly {
    readonly threads: number;
    readonly kv: string;
    readonly position: number;
    readonly tokensPerSecond: number;
  }[];
}

export interface PromptRow {
  readonly model: ModelName;
  readonly threads: number;
  readonly promptTokens: number;
  readonly onebit: number;
  /** Tokens a second of llama.cpp. */
  readonly peer: number | undefined;
}

export interface PromptsData {
  readonly kind: "prompts";
  readonly rows: readonly PromptRow[];
}

export interface ProductRow {
  /** As the model's tensors name it; in × out of one matrix. */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly rows: number;
  readonly threads: number;
  /** Billions of multiplications by a weight a second. */
  readonly onebit: number;
  /** Of onnxruntime-web, by the bits of its weights. */
  readonly peer2: number | undefined;
  readonly peer4: number | undefined;
}

export interface ProductsData {
  readonly kind: "products";
  readonly model: ModelName;
  readonly rows: readonly ProductRow[];
}

export interface ProfileData {
  readonly kind: "profile";
  readonly model: ModelName;
  readonly reports: readonly ProfileReport[];
}

export interface LoadingData {
  readonly kind: "loading";
  readonly rows: readonly {
    readonly model: ModelName;
    readonly modelBytes: number;
    readonly engine: string;
    readonly loadMs: number;
  }[];
}

export interface PackageSizesData {
  readonly kind: "package-sizes";
  readonly rows: readonly { readonly name: string; readonly bytes: number; readonly gzipBytes: number }[];
}

export interface TrainingData {
  readonly kind: "training";
  readonly report: TrainReport;
}

export type PieceData =
  | ModelsData
  | SizesData
  | PositionsData
  | PromptsData
  | ProductsData
  | ProfileData
  | LoadingData
  | PackageSizesData
  | TrainingData;

export interface Piece<Data extends PieceData = PieceData> {
  readonly name: string;
  /** Fewer rounds and smaller cases: not for publishing. */
  readonly isQuick: boolean;
  readonly date: string;
  readonly seconds: number;
  readonly machine: {
    readonly cpu: string;
    readonly nCpus: number;
    readonly memoryBytes: number;
    readonly os: string;
    readonly loadAverage: number;
  };
  readonly versions: Readonly<Record<string, string>>;
  readonly absent: readonly Absence[];
  readonly data: Data;
}
