/**
 * Every limit of the library, each with its reason. Sizes that a file claims are checked against these and
 * against the file's real size before any memory is taken.
 *
 * @module
 */

/** wasm32 addresses 4 GiB: 65,536 pages of 64 KiB. AssemblyScript emits no 64-bit memory. */
export const WASM_PAGE_BYTES = 65_536;
export const WASM_PAGES_MAX = 65_536;

/** Above this many threads a barrier per step costs more than the rows it shares out. */
export const THREADS_MAX = 64;

/** The largest real header (262,144 tokens with merges) is about 20 MB; beyond this the counts are lies. */
export const GGUF_HEADER_BYTES_MAX = 128 * 1024 * 1024;
/** Most headers of small models fit in this first read; each retry reads four times as much. */
export const GGUF_FIRST_READ_BYTES = 1024 * 1024;
/** The GGUF specification's own limit for a key. */
export const GGUF_KEY_BYTES_MAX = 65_535;
/** The longest strings are chat templates, of tens of kilobytes. */
export const GGUF_STRING_BYTES_MAX = 16 * 1024 * 1024;
/** Vocabularies have at most 262,144 tokens and twice as many merges; eight times that. */
export const GGUF_ARRAY_ITEMS_MAX = 4 * 1024 * 1024;
/** Real files have a few dozen keys. */
export const GGUF_KEYS_MAX = 65_536;
/** The largest mixture-of-experts models have a few thousand tensors. */
export const TENSORS_MAX = 65_536;
/** ggml's tensors have at most 4 dimensions and 63 bytes of name; so have all files it can read. */
export const TENSOR_DIMS_MAX = 4;
export const GGUF_TENSOR_NAME_BYTES_MAX = 63;
/** Files use 32; a page is the largest that could help anyone. The pad after a header is at most this. */
export const GGUF_ALIGNMENT_MAX = 65_536;
/** Split files are of gigabytes each; a model of 1,000 shards fits nowhere we run. */
export const SHARDS_MAX = 1000;
/** The safetensors specification's own limit. */
export const SAFETENSORS_HEADER_BYTES_MAX = 100_000_000;
/** Safetensors names are paths of a module; the longest real ones have about 100 bytes. */
export const SAFETENSORS_NAME_BYTES_MAX = 1024;
/** tokenizer.json of a 262,144-token vocabulary has about 33 MB; the other JSON files of a model are tiny. */
export const JSON_BYTES_MAX = 128 * 1024 * 1024;
/** Members in one JSON file: a vocabulary of 262,144 with as many added tokens of 7 members. */
export const JSON_MEMBERS_MAX = 4 * 1024 * 1024;
/** Config and tokenizer files nest to about 8; some JSON parsers overflow their stack at a few thousand. */
export const JSON_DEPTH_MAX = 64;
