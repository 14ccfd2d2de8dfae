/** Names of the compared engines in results. */
export const LLAMA_CPP = "llama.cpp, native";
export const WLLAMA = "wllama, Chromium";
