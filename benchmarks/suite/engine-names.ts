/** What results call the engines that are compared with. */
export const LLAMA_CPP = "llama.cpp, native";
export const WLLAMA = "wllama, Chromium";
