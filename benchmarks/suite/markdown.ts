/** The tables of the results. */
import { type ProfileReport, profileTable, shareOfLimit } from "../profile/report.ts";
import { formatReport } from "../train/report.ts";
import { MODEL_TITLES } from "./models.ts";
import { LLAMA_CPP, WLLAMA } from "./engine-names.ts";
import type {
  LoadingData,
  ModelsData,
  PackageSizesData,
  Piece,
  PieceData,
  PositionsData,
  ProductsData,
  ProfileData,
  PromptsData,
  SizesData,
  TrainingData,
} from "./results.ts";
import { type EngineResult, speedRatio } from "./turns.ts";

type Of<Kind extends PieceData["kind"]> = Extract<PieceData, { kind: Kind }>;

/** Weights that one core's second-level cache holds. */
const CACHE_BYTES = 2 ** 21;

/** @param pieces at least one */
export function resultsMarkdown(pieces: readonly Piece[]): string {
  const of = <Kind extends PieceData["kind"]>(kind: Kind): Of<Kind>[] =>
    pieces.map(({ data }) => data).filter((data): data is Of<Kind> => data.kind === kind);
  const sections = [
    header(pieces),
    section("Whole models", of("models"), modelsLines),
    section("Size of the model", of("sizes"), sizesLines),
    section("Position in the context", of("positions"), positionsLines),
    section("Length of the prompt", of("prompts"), promptsLines),
    section("Products with packed weights", of("products"), productsLines),
    section("Kernels", of("profile"), kernelsLines),
    section("Where the time of a token goes", of("profile"), profileLines),
    section("Loading", of("loading"), loadingLines),
    section("Size of the package", of("package-sizes"), packageLines),
    section("Training", of("training"), trainingLines),
    absentLines(pieces),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function section<Data extends PieceData>(
  title: string,
  data: readonly Data[],
  lines: (data: readonly Data[]) => string[],
): string[] {
  return data.length === 0 ? [] : [`## ${title}`, "", ...lines(data)];
}

function header(pieces: readonly Piece[]): string[] {
  const dates = pieces.map(({ date }) => date.slice(0, 10)).sort(),
    [first, last] = [dates[0], dates[dates.length - 1]];
  const machines = distinct(
    pieces.map(
      ({ machine: { cpu, nCpus, memoryBytes, os } }) =>
        `${cpu}, ${nCpus} processors, ${gigabytes(memoryBytes)} of memory, ${os}`,
    ),
  );
  const versions = distinct(
    pieces.flatMap(({ versions }) => Object.entries(versions).map(([name, version]) => `${name} ${version}`)),
  );
  const states = distinct(pieces.map(({ versions }) => versions.onebit));
  const busiest = Math.max(...pieces.map(({ machine }) => machine.loadAverage));
  return [
    "# Results",
    "",
    "Made by `npm run bench`; do not edit. Models are synthetic: a real model's shape and types, random weights.",
    "",
    ...machines.map((machine) => `- ${machine}`),
    `- ${first === last ? first : `${first} to ${last}`}; ${versions.join(", ")}`,
    `- load average before a piece: at most ${busiest.toFixed(1)}`,
    ...(states.length < 2
      ? []
      : states.map(
          (state) =>
            `- of onebit ${state}: ${pieces
              .filter(({ versions }) => versions.onebit === state)
              .map(({ name }) => name)
              .join(", ")}`,
        )),
    ...(pieces.some(({ isQuick }) => isQuick)
      ? ["- some of it measured quickly: fewer rounds, not for publishing"]
      : []),
  ];
}

function modelsLines(data: readonly ModelsData[]): string[] {
  return [
    "Tokens a second, medians over rounds in which engines take turns; ratios are medians of the rounds' ratios, " +
      "onebit's speed over the peer's.",
    "",
    "![Tokens a second that each engine writes](decode.svg)",
    "",
    "| model | threads | engine | prompt | decode | prompt, × native llama.cpp | decode, × native llama.cpp | " +
      "prompt, × wllama | decode, × wllama |",
    "|---|---|---|---|---|---|---|---|---|",
    ...data.flatMap(({ model, threads, results }) => {
      const native = find(results, LLAMA_CPP),
        wllama = find(results, WLLAMA);
      return results.map((result) => {
        const ratio = (peer: EngineResult | undefined, key: "promptTokensPerSecond" | "tokensPerSecond"): string =>
          isPeer(result) ? "" : times(speedRatio(result, peer, key));
        const peers = [native, wllama].flatMap((peer) => [
          ratio(peer, "promptTokensPerSecond"),
          ratio(peer, "tokensPerSecond"),
        ]);
        return row(
          MODEL_TITLES[model],
          threads,
          `${result.engine}${workNote(result, results)}`,
          rate(result.speed.promptTokensPerSecond),
          rate(result.speed.tokensPerSecond),
          ...peers,
        );
      });
    }),
  ];
}

/** Notes engines that got less work than the others. */
function workNote({ work, rounds }: EngineResult, all: readonly EngineResult[]): string {
  const most = Math.max(...all.map((result) => result.work.promptTokens));
  return work.promptTokens === most
    ? ""
    : ` (prompt of ${work.promptTokens}, ${work.tokens} tokens, ${rounds.length} ` +
        `round${rounds.length === 1 ? "" : "s"})`;
}

function sizesLines(data: readonly SizesData[]): string[] {
  return [
    "Decode with layers and vocabulary cut. The last column is what of the file a second passes by: tokens/s × " +
      "bytes of the model.",
    "",
    "| model | layers | vocabulary | size | threads | tokens/s | GB/s |",
    "|---|---|---|---|---|---|---|",
    ...data.flatMap(({ model, rows }) =>
      rows.map(({ nLayers, nVocab, modelBytes, threads, tokensPerSecond }) =>
        row(
          MODEL_TITLES[model],
          nLayers,
          nVocab,
          megabytes(modelBytes),
          threads,
          rate(tokensPerSecond),
          ((tokensPerSecond * modelBytes) / 1e9).toFixed(1),
        ),
      ),
    ),
  ];
}

function positionsLines(data: readonly PositionsData[]): string[] {
  return [
    "Decode, tokens a second, by how many tokens stand before; cache of keys and values in 32-bit floats or 8 bits.",
    "",
    "| model | cache | threads | position | tokens/s |",
    "|---|---|---|---|---|",
    ...data.flatMap(({ model, rows }) =>
      rows.map(({ kv, threads, position, tokensPerSecond }) =>
        row(MODEL_TITLES[model], kv, threads, position, rate(tokensPerSecond)),
      ),
    ),
  ];
}

function promptsLines(data: readonly PromptsData[]): string[] {
  return [
    "Tokens a second read, and seconds to the first token.",
    "",
    "| model | threads | prompt | onebit | first token | llama.cpp, native | first token | ratio |",
    "|---|---|---|---|---|---|---|---|",
    ...data.flatMap(({ rows }) =>
      rows.map(({ model, threads, promptTokens, onebit, peer }) => {
        const first = (speed: number | undefined): string =>
          speed === undefined ? "–" : `${(promptTokens / speed).toFixed(1)} s`;
        return row(
          MODEL_TITLES[model],
          threads,
          promptTokens,
          rate(onebit),
          first(onebit),
          peer === undefined ? "–" : rate(peer),
          first(peer),
          times(peer && onebit / peer),
        );
      }),
    ),
  ];
}

function productsLines(data: readonly ProductsData[]): string[] {
  return [
    "Multiplications by weights, thousand millions a second, weights coming from memory. onnxruntime-web: " +
      "`MatMulNBits`, wasm, 8-bit activations, blocks of 128. The ratio is to the faster of its two.",
    "",
    "| product | in × out | rows | threads | onebit, ternary | onnxruntime-web, 2 bits | 4 bits | ratio |",
    "|---|---|---|---|---|---|---|---|",
    ...data.flatMap(({ rows }) =>
      rows.map(({ name, inputs, outputs, rows: n, threads, onebit, peer2, peer4 }) => {
        const best = Math.max(peer2 ?? 0, peer4 ?? 0);
        return row(
          name,
          `${inputs} × ${outputs}`,
          n,
          threads,
          rate(onebit),
          peer2 === undefined ? "–" : rate(peer2),
          peer4 === undefined ? "–" : rate(peer4),
          times(best > 0 ? onebit / best : undefined),
        );
      }),
    ),
  ];
}

function kernelsLines(data: readonly ProfileData[]): string[] {
  const lines = data.flatMap(({ model, reports }) =>
    reports.flatMap((report) => {
      const { isCached } = report,
        kinds = report.kinds.filter(
          ({ name, weights, bytes, count }) =>
            weights > 0 && (!isCached || bytes / count <= CACHE_BYTES) && !(report.rows > 1 && name.includes("head")),
        );
      return kinds.map((kind) => {
        const where = isCached ? "cache" : "memory",
          gigamacs = (kind.weights * report.rows) / kind.milliseconds / 1e6;
        const limit =
          isCached || report.rows > 1
            ? ["", ""]
            : [kind.gigabytesPerSecond.toFixed(1), percent(shareOfLimit(kind, report))];
        return row(
          MODEL_TITLES[model],
          kind.name.replace("matmul ", ""),
          megabytes(kind.bytes / kind.count),
          where,
          report.rows,
          report.threads,
          rate(gigamacs),
          ...limit,
        );
      });
    }),
  );
  return [
    "Products as they stand in a model. The limit is what a plain WebAssembly loop reads, times the threads, " +
      "measured in the same run.",
    "",
    "| model | product | weights | from | rows | threads | GMAC/s | GB/s | of the limit |",
    "|---|---|---|---|---|---|---|---|---|",
    ...lines,
  ];
}

function profileLines(data: readonly ProfileData[]): string[] {
  return data
    .flatMap(({ model, reports }) =>
      reports
        .filter(({ isCached, rows }) => !isCached && rows === 1)
        .flatMap((report) => [profileTitle(MODEL_TITLES[model], report), "", ...profileTable(report), ""]),
    )
    .slice(0, -1);
}

function profileTitle(
  model: string,
  { variant, threads, wholeMs, totalMs, bandwidth, position }: ProfileReport,
): string {
  return (
    `${model}, kernels ${variant}, ${threads} thread${threads === 1 ? "" : "s"}, ` +
    `position ${position}: ${wholeMs.toFixed(1)} ms a token in one walk, ${totalMs.toFixed(1)} ms step by step; ` +
    `one thread reads ${bandwidth.toFixed(1)} GB/s.`
  );
}

function loadingLines(data: readonly LoadingData[]): string[] {
  return [
    "From a file that the system has in memory already. llama.cpp maps the file and leaves the weights as they " +
      "lie; onebit repacks them.",
    "",
    "| model | size | engine | seconds | GB/s |",
    "|---|---|---|---|---|",
    ...data.flatMap(({ rows }) =>
      rows.map(({ model, modelBytes, engine, loadMs }) =>
        row(
          MODEL_TITLES[model],
          megabytes(modelBytes),
          engine,
          (loadMs / 1e3).toFixed(2),
          (modelBytes / loadMs / 1e6).toFixed(2),
        ),
      ),
    ),
  ];
}

function packageLines(data: readonly PackageSizesData[]): string[] {
  return [
    "Bytes after gzip -9: the library (minified, without kernels, default model and command line), the parts of " +
      "it that are fetched when a source of that kind is opened, and each build of the kernels, of which a page " +
      "runs one.",
    "",
    "| | bytes | gzip |",
    "|---|---|---|",
    ...data.flatMap(({ rows }) =>
      rows.map(({ name, bytes, gzipBytes }) => row(name, bytes.toLocaleString("en"), gzipBytes.toLocaleString("en"))),
    ),
  ];
}

function trainingLines(data: readonly TrainingData[]): string[] {
  return data.flatMap(({ report }, i) => [...(i > 0 ? [""] : []), formatReport(report)]);
}

function absentLines(pieces: readonly Piece[]): string[] {
  const lines = distinct(
    pieces.flatMap(({ name, absent }) => absent.map((absence) => `- ${absence.name} (${name}): ${absence.reason}`)),
  );
  return lines.length === 0 ? [] : ["## Absent", "", ...lines];
}

const isPeer = ({ engine }: EngineResult): boolean => engine === LLAMA_CPP || engine === WLLAMA;
const find = (results: readonly EngineResult[], name: string): EngineResult | undefined =>
  results.find(({ engine }) => engine === name);
const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
const rate = (perSecond: number): string => (perSecond < 10 ? perSecond.toFixed(2) : perSecond.toFixed(1));
const times = (ratio: number | undefined): string => (ratio === undefined ? "–" : `${ratio.toFixed(2)}×`);
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(0)} GiB`;
const distinct = (lines: readonly string[]): string[] => [...new Set(lines)];
