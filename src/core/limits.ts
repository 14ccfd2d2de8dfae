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
/** The first read: most small models' headers fit in it; large vocabularies need up to sixteen times as much. */
export const GGUF_FIRST_READ_BYTES = 1024 * 1024;
/** The GGUF specification's own limit for a key. */
export const GGUF_KEY_BYTES_MAX = 65_535;
/** The longest strings are chat templates, of tens of kilobytes. */
export const GGUF_STRING_BYTES_MAX = 8 * 1024 * 1024;
/** Vocabularies have at most 262,144 tokens and twice as many merges; eight times that. */
export const GGUF_ARRAY_ITEMS_MAX = 4 * 1024 * 1024;
/** Memory for the values of a GGUF header, per byte of the file; see JSON_HELD_BYTES_PER_BYTE. */
export const GGUF_HELD_BYTES_PER_BYTE = 1;
export const GGUF_HELD_BYTES_BESIDE = 20e6;
/** Real files have a few dozen keys. */
export const GGUF_KEYS_MAX = 65_536;
/** The largest mixture-of-experts models have a few thousand tensors. */
export const TENSORS_MAX = 65_536;
/** ggml's limits: 4 dimensions and 63 bytes of name. Every file it can read keeps them. */
export const TENSOR_DIMS_MAX = 4;
export const GGUF_TENSOR_NAME_BYTES_MAX = 63;
/** Files use 32; more than a page helps nobody. It also bounds the padding after a header. */
export const GGUF_ALIGNMENT_MAX = 65_536;
/** Shards are gigabytes each; a model of 1,000 of them fits nowhere we run. */
export const SHARDS_MAX = 1000;
/** The safetensors specification's own limit. */
export const SAFETENSORS_HEADER_BYTES_MAX = 100_000_000;
/** Files hold a dozen at most: the writer and its options. */
export const SAFETENSORS_METADATA_MAX = 4096;
/**
 * Tensors a header may describe on top of one for every 105 bytes of its file; a description takes at least 90 bytes.
 */
export const SAFETENSORS_TENSORS_BESIDE = 22_000;
export const SAFETENSORS_BYTES_PER_TENSOR = 105;
/** Safetensors names are paths of a module; the longest real ones have about 100 bytes. */
export const SAFETENSORS_NAME_BYTES_MAX = 1024;
/** tokenizer.json of a 262,144-token vocabulary has about 33 MB; the other JSON files of a model are tiny. */
export const JSON_BYTES_MAX = 128 * 1024 * 1024;
/**
 * Memory for the values of a JSON file, per byte of the file, as we count it. V8 needs half as much again while it
 * collects garbage, and the file's bytes stay in memory too. The largest published vocabulary (262,144 tokens, 514,906
 * merges, at least 17 MB) takes 60 MB.
 */
export const JSON_HELD_BYTES_PER_BYTE = 2.05;
export const JSON_HELD_BYTES_BESIDE = 25e6;
/** The longest strings are normalisation tables of some hundred kilobytes. */
export const JSON_STRING_BYTES_MAX = 16 * 1024 * 1024;
/** Configs take a few kilobytes. */
export const CONFIG_BYTES_MAX = 1_000_000;
/**
 * `tokenizer_config.json` describes every added token: Gemma's 6,414 take 1.2 MB. An index maps every tensor to a file.
 */
export const LIST_FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Members in one JSON file: a vocabulary of 262,144 with as many added tokens of 7 members. */
export const JSON_MEMBERS_MAX = 4 * 1024 * 1024;
/** Messages show a model's name; a longer one is cut. */
export const MODEL_NAME_CHARS_MAX = 120;
/** Names in `modules_to_not_convert`: seven projections of a thousand layers, each by its own name. */
export const MODULES_KEPT_MAX = 8192;
/** Config and tokenizer files nest to about 8; some JSON parsers overflow their stack at a few thousand. */
export const JSON_DEPTH_MAX = 64;

/** Each stop string is an automaton stepped at every character; APIs elsewhere take 4 to 16. */
export const STOP_STRINGS_MAX = 64;
/** A stop string is held back until it is complete: longer ones would stall the stream. */
export const STOP_STRING_CHARS_MAX = 1024;
/** One array of logits returned to the caller: 2,000 rows of a large vocabulary. Beyond it, rows come one by one. */
export const LOGITS_RESULT_BYTES_MAX = 1024 ** 3;
/** Alternatives reported for each token; OpenAI's API stops at 20. */
export const LOGPROBS_MAX = 64;

/** The longest published chat templates have about 30,000 characters. */
export const TEMPLATE_CHARS_MAX = 128 * 1024;
/**
 * Levels of nesting in a template's text, its evaluation and its data. Real ones stay below 60; 200 levels take about
 * 100 kB of stack.
 */
export const TEMPLATE_DEPTH_MAX = 200;
/**
 * Steps of one rendering, at most 0.4 µs each on one of two busy cores; a long template over a few messages takes some
 * thousands.
 */
export const TEMPLATE_STEPS = 200_000;
/** Further steps for each value in the messages, tools and variables, so that long conversations render. */
export const TEMPLATE_STEPS_PER_VALUE = 400;
/**
 * Whatever the length of the conversation: rendering blocks its thread, so it must end within a quarter of a second.
 */
export const TEMPLATE_STEPS_MAX = 600_000;
/** Longer than any template builds; `range` refuses more before it takes memory. */
export const TEMPLATE_LIST_ITEMS_MAX = 100_000;

/**
 * Nodes of one grammar's expressions as it was written, with the members of its choices. An enumeration of 10,000
 * names of 10 bytes takes 100,000; a node takes about 120 bytes.
 */
export const GRAMMAR_NODES_MAX = 400_000;
/** Levels of nesting of a grammar's expressions: 1,000 take about 400 kB of stack. Real ones have below 50. */
export const GRAMMAR_DEPTH_MAX = 1000;
/** UTF-16 units of a grammar; the largest published ones, of programming languages, have some 50,000. */
export const GRAMMAR_CHARS_MAX = 1024 * 1024;
/** UTF-16 units of a regular expression; a schema's longest patterns, of addresses and versions, have some 2,000. */
export const PATTERN_CHARS_MAX = 32_768;
/** Groups within groups of a pattern, and of a rule; the deepest published have about 10. 250 take 150 kB of stack. */
export const GRAMMAR_GROUPS_MAX = 250;
/** How often a quantifier may repeat: JSON schemas limit strings to some 100,000 characters. */
export const GRAMMAR_COUNT_MAX = 1_000_000_000;
/** Copies of a repeated group that contains an assertion. */
export const PATTERN_COPIES_MAX = 16;
/** Different `\p{…}` in a pattern: each asks the engine about all code points, which takes 20 ms. */
export const PATTERN_PROPERTIES_MAX = 16;
/** Nodes that reading texts may add before what is cached is dropped: 8 MB or so. Twice as many gained no time. */
export const GRAMMAR_DERIVED_NODES_MAX = 20_000;
/** Nodes that one byte may add: an ambiguity that needs more does not fit the time between two tokens. */
export const GRAMMAR_STEP_NODES_MAX = 400_000;
/**
 * Parts of nodes to visit after one byte in search of a text that fits all parts of an intersection; each takes some
 * 10 µs. Two conditions on a text of at least 10,000 characters need 20,000.
 */
export const GRAMMAR_EMPTINESS_NODES_MAX = 40_000;
/** Ways of reading a text at the same time. Unambiguous grammars have one or two; each costs a step of its own. */
export const GRAMMAR_STACKS_MAX = 4096;
/** New steps of the automaton for one mask, of 5 to 20 µs each; a mask of a JSON schema takes some hundreds. */
export const GRAMMAR_WORK_STEPS_MAX = 50_000;
/** Masks kept: 500 of 128,256 tokens, and the automaton of a JSON schema has fewer states that are often visited. */
export const GRAMMAR_MASK_CACHE_BYTES = 8 * 1024 * 1024;
/** Compiled formats that a model keeps: a program asks for a few in turn. Each has masks of its own. */
export const GRAMMARS_KEPT = 4;
/** Text that a grammar forces is read at once; longer than the names of a schema it seldom is. */
export const GRAMMAR_FORCED_BYTES_MAX = 256;
/** Endings of tokens behind the end of a string, kept with the string's mask; JSON's has some 2,000. */
export const GRAMMAR_SUFFIXES_MAX = 30_000;
/** States kept before they are dropped: each takes 200 to 500 bytes. Half as many cost a tenth more time. */
export const GRAMMAR_STATES_MAX = 8_192;

/** The deepest published 1-bit model has 64 layers; the limit bounds the program and the tensor search. */
export const LAYERS_MAX = 1024;

/** The widest feed-forward of a model that fits 4 GB is 23,040; the limit bounds every row buffer. */
export const MODEL_WIDTH_MAX = 1 << 20;

/** Published delta nets mix 4 positions; the limit bounds the addresses of a row's past, which a thread keeps. */
export const CONVOLUTION_TAPS_MAX = 16;

/** The longest published context is 262,144; the limit keeps a position an exact f32 and the KV arithmetic safe. */
export const CONTEXT_LENGTH_MAX = 1 << 24;

/** Positions a model gets when the caller asks for none: enough for a conversation, 0.6 GB of KV cache at most. */
export const CONTEXT_LENGTH_DEFAULT = 4096;

/** Four times the largest published vocabulary, 262,144 tokens. */
export const VOCABULARY_TOKENS_MAX = 1024 * 1024;
/** UTF-16 units in one token; the longest published ones, runs of blanks, have 512. */
export const TOKEN_UNITS_MAX = 4096;
/** UTF-16 units of all tokens matched in text: Gemma 3's 6,415 have 68,000. The automaton takes 50 bytes a unit. */
export const SPECIAL_TOKEN_UNITS_MAX = 512 * 1024;
/**
 * Steps of a tokenizer.json: normalizers, pre-tokenizers, decoders, post-processors. Published files have at most 12.
 */
export const TOKENIZER_STEPS_MAX = 64;
/** UTF-16 units of the pattern or the replacement of a tokenizer.json's step; published ones have one or two. */
export const STEP_TEXT_UNITS_MAX = 256;
/** How many times longer replacing steps may make a text; published ones make none longer. */
export const REPLACED_GROWTH_MAX = 16;
/** Ranks of merges share a float with positions, so they stay below 2^22; published vocabularies have up to 580,604. */
export const MERGES_MAX = 4 * 1024 * 1024 - 1;
/**
 * Sum of the squared lengths of SentencePiece tokens: the work of finding all their halves. 262,144 tokens take 2 ×
 * 10^7.
 */
export const SENTENCEPIECE_SPLIT_WORK_MAX = 1024 * 1024 * 1024;

/** A checkpoint names three arrays a tensor; 1,024 layers make a header of 3 MB. */
export const CHECKPOINT_HEADER_BYTES_MAX = 16 * 1024 * 1024;
/** A million lines of a training log; a JavaScript string ends at 512 MiB. */
export const METRICS_BYTES_MAX = 256 * 1024 * 1024;
/** enwik9, the largest common corpus for small models, has 10^9 bytes; more needs another design than one array. */
export const TRAINING_DATA_BYTES_MAX = 1024 ** 3;

/**
 * Size of one range request, of its buffer in memory, and of one recorded part. With the four requests below at once, a
 * killed download downloads at most 8 MiB again.
 */
export const HUB_PART_BYTES = 2 * 1024 * 1024;
/** Browsers open 6 connections to a host; this leaves two for others. */
export const HUB_PARALLEL_REQUESTS = 4;
/** Browsers and curl follow 20 and 50 hops; hubs use 1 or 2. */
export const HUB_REDIRECTS_MAX = 10;
/** The longest pause a server may ask for; a longer one is an error. Hubs limit rates over 5 minutes. */
export const HUB_RETRY_AFTER_MS_MAX = 300_000;
/** The longest wait between two tries: a router restarts in less than a minute, and nobody wants to wait longer. */
export const HUB_BACKOFF_MS_MAX = 30_000;
/** A list of 10,000 repository files takes about 3 MB. */
export const HUB_LIST_BYTES_MAX = 32 * 1024 * 1024;
/** How often a download starts again because the file changed meanwhile. */
export const HUB_RESTARTS_MAX = 3;
/** Ten times the largest published 1-bit model; also an exact double. */
export const HUB_FILE_BYTES_MAX = 2 ** 42;
/** Cap on a body of unannounced length: four times the largest model that can run. */
export const HUB_UNANNOUNCED_BYTES_MAX = 16 * 1024 ** 3;
