/**
 * LangChain with a model on this machine, by the address of `onebit serve`.
 *
 *   npx onebit serve model.gguf
 *   npm install @langchain/openai && node langchain.mjs "Which planet is the largest?"
 */
import { ChatOpenAI } from "@langchain/openai";

const model = new ChatOpenAI({
  model: process.env.ONEBIT_MODEL ?? "model",
  // Asked for only if the server has one.
  apiKey: process.env.ONEBIT_API_KEY ?? "none",
  configuration: { baseURL: process.env.ONEBIT_URL ?? "http://localhost:8080/v1" },
});
for await (const chunk of await model.stream(process.argv[2] ?? "Hello")) process.stdout.write(String(chunk.content));
process.stdout.write("\n");
