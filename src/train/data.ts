/**
 * Turns a text into training data: a vocabulary, ids, and the split into training and validation.
 *
 * @module
 */
import { fail, throwIfAborted } from "../core/errors.ts";
import type { Breather } from "../core/event-loop.ts";
import { trainBpe } from "../tokenizer/train-bpe.ts";
import { type Dataset, type TokenIds, createDataset } from "./dataset.ts";
import type { Recipe, Settings } from "./recipe.ts";
import { type TrainedVocabulary, bpeVocabulary, byteVocabulary, vocabularyTokenizer } from "./vocabulary.ts";

export interface TrainingData {
  readonly vocabulary: TrainedVocabulary;
  readonly dataset: Dataset;
  /** All ids: training, then validation. */
  readonly tokens: TokenIds;
  /** Bytes of text of each id. */
  readonly bytesOfToken: Uint8Array | Uint16Array;
}

/** Size of the pieces to encode between two checks of the abort signal. */
const PIECE_BYTES = 1 << 20;
const NEWLINE = 0x0a;

/** The part of the text to use. @throws OnebitError `train/bad-data` for a text that is too short */
export function trainingText(whole: Uint8Array, recipe: Recipe, { maxBytes }: Settings): Uint8Array {
  const text = maxBytes === 0 ? whole : whole.subarray(0, maxBytes);
  if (text.length === 0) fail("train/bad-data", "training data: wanted a text, found none: it is empty");
  const validationBytes = validationBytesOf(text, recipe);
  if (text.length - validationBytes >= 2) return text;
  return fail(
    "train/bad-data",
    `training data: wanted text besides the ${validationBytes} bytes for validation, found ${text.length} bytes ` +
      "in all",
  );
}

export interface DataOptions {
  /** The vocabulary of a resumed run, reused as it is. */
  readonly known?: TrainedVocabulary;
  readonly breather: Breather;
  readonly signal?: AbortSignal;
}

/** @throws OnebitError `train/bad-data` when the text is too short, or, for byte pairs, not UTF-8; `aborted` */
export async function prepareData(
  text: Uint8Array,
  recipe: Recipe,
  { known, breather, signal }: DataOptions,
): Promise<TrainingData> {
  const { vocabSize, dataSeed: seed } = recipe,
    validationBytes = validationBytesOf(text, recipe);
  requireLength(text.length - validationBytes, recipe, "bytes");
  if (vocabSize === 256) {
    const dataset = createDataset(text, { vocabSize, seed, validationTokens: validationBytes });
    return { vocabulary: byteVocabulary(), dataset, tokens: text, bytesOfToken: new Uint8Array(256).fill(1) };
  }
  const border = nextCharacter(text, text.length - validationBytes);
  const training = text.subarray(0, border),
    validation = text.subarray(border);
  const vocabulary = known ?? bpeVocabulary(trainBpe(piecesOf(training), { vocabSize: vocabSize - 1, signal }));
  const encode = createEncoder(vocabulary, breather, signal),
    first = await encode(training),
    second = await encode(validation);
  requireLength(first.length, recipe, "tokens");
  const tokens =
    vocabSize <= 65_536 ? new Uint16Array(first.length + second.length) : new Int32Array(first.length + second.length);
  tokens.set(first);
  tokens.set(second, first.length);
  const dataset = createDataset(tokens, { vocabSize, seed, validationTokens: second.length });
  return { vocabulary, dataset, tokens, bytesOfToken: tokenLengths(vocabulary, vocabSize) };
}

/** Bytes at the end of the text reserved for validation. */
function validationBytesOf(text: Uint8Array, { validationFraction, validationBytes }: Recipe): number {
  return validationBytes ?? Math.floor(text.length * (validationFraction ?? 0));
}

/** Checked before any memory is taken: a window needs one id more than a sequence. */
function requireLength(found: number, { seqLength }: Recipe, unit: string): void {
  if (found > seqLength) return;
  fail(
    "train/bad-data",
    `training data: wanted more than ${seqLength} ${unit} (the sequence length) besides those for validation, ` +
      `found ${Math.max(0, found)}; give more text or a smaller seqLength`,
  );
}

/** The text as strings, cut after newlines where possible. @throws OnebitError `train/bad-data` for invalid UTF-8 */
function* piecesOf(text: Uint8Array): Generator<string> {
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let begin = 0; begin < text.length; ) {
    const limit = Math.min(text.length, begin + PIECE_BYTES);
    const newline = limit < text.length ? text.lastIndexOf(NEWLINE, limit - 1) : -1;
    const end = newline >= begin ? newline + 1 : nextCharacter(text, limit);
    yield decoded(utf8, text.subarray(begin, end), begin);
    begin = end;
  }
}

function decoded(utf8: TextDecoder, bytes: Uint8Array, at: number): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    return fail(
      "train/bad-data",
      `training data: wanted UTF-8 for a vocabulary of byte pairs, found invalid bytes at ${at} ` +
        `to ${at + bytes.length}; use a vocabulary of 256, which takes any bytes`,
      cause,
    );
  }
}

/** The first offset at or after `at` that cuts no character. */
function nextCharacter(text: Uint8Array, at: number): number {
  let place = at;
  while (place < text.length && place < at + 3 && (text[place] & 0xc0) === 0x80) place++;
  return place;
}

function createEncoder(
  vocabulary: TrainedVocabulary,
  breather: Breather,
  signal: AbortSignal | undefined,
): (text: Uint8Array) => Promise<Int32Array> {
  const tokenizer = vocabularyTokenizer(vocabulary);
  return async (text) => {
    let ids = new Int32Array(1024),
      used = 0;
    for (const piece of piecesOf(text)) {
      await breather.breathe();
      throwIfAborted(signal);
      const found = tokenizer.encode(piece, { addSpecial: false });
      if (used + found.length > ids.length) {
        const larger = new Int32Array(2 * (used + found.length));
        larger.set(ids.subarray(0, used));
        ids = larger;
      }
      ids.set(found, used);
      used += found.length;
    }
    return ids.subarray(0, used);
  };
}

/** In the byte alphabet a token has one character a byte; the end token has no text. */
function tokenLengths({ tokens, firstControlId }: TrainedVocabulary, vocabSize: number): Uint16Array {
  const lengths = new Uint16Array(vocabSize);
  for (let id = 0; id < firstControlId; id++) lengths[id] = tokens[id].length;
  return lengths;
}
