/**
 * Which tests run when. `npm test` is for every change and takes minutes; tests that try thousands of faults or inputs,
 * or compare with an oracle, run in their own suite of `.ci/run`, or by path.
 */

/** Path prefixes that `npm test` leaves to a suite of `.ci/run`. */
export const SLOW_TESTS = {
  "tests/default-model.test": "package",
  "tests/files/json": "fuzz",
  "tests/hostile/": "fuzz",
  "tests/generate/jinja/hostile": "fuzz",
  "tests/generate/jinja/bound": "fuzz",
  "tests/generate/mixed": "kills",
  "tests/grammar/schema/oracle": "conformance",
  "tests/grammar/schema/suite": "conformance",
  "tests/hub/browser-faults": "kills",
  "tests/hub/download-faults": "kills",
  "tests/hub/pull-processes": "kills",
  "tests/nn/original-examples": "runtimes",
  "tests/train/faults": "kills",
  "tests/train/resume": "kills",
  "tests/conformance/": "conformance",
  "tests/server/cluster": "cluster",
  "tests/runtime/bits": "bits",
  "tests/runtime/examples": "runtimes",
  "tests/runtime/runtimes": "runtimes",
  "tests/tokenizer/hostile": "fuzz",
  "tests/tokenizer/normalize": "fuzz",
  "tests/train/checkpoint-kills": "kills",
  "tests/train/determinism": "bits",
  "tests/train/text-file": "fuzz",
};

/** Path prefixes of tests without kernels: half a minute in all. */
export const FAST_TESTS = [
  "tests/architecture",
  "tests/cli/argument-kind",
  "tests/cli/options",
  "tests/core/",
  "tests/files/dequantize",
  "tests/files/encodings",
  "tests/files/gguf",
  "tests/files/quantize",
  "tests/files/safetensors",
  "tests/files/tensor-types",
  "tests/generate/jinja/marked-text",
  "tests/generate/jinja/template",
  "tests/generate/stop",
  "tests/hub/choosing",
  "tests/kernels/steps",
  "tests/tokenizer/gguf-tokenizer",
  "tests/tokenizer/merge",
  "tests/tokenizer/split",
];

export function isSlow(file) {
  return Object.keys(SLOW_TESTS).some((begin) => file.startsWith(begin));
}

export function isFast(file) {
  return !isSlow(file) && FAST_TESTS.some((begin) => file.startsWith(begin));
}
