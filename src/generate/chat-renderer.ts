/**
 * Loads the chat-template interpreter on demand: only models with a vocabulary need it.
 *
 * @module
 */
import { packagePart } from "../core/package-part.ts";
import type { renderChat } from "./chat.ts";

export type ChatRenderer = typeof renderChat;

/** @throws OnebitError `engine/part-missing` */
export async function loadChatRenderer(): Promise<ChatRenderer> {
  const part = await packagePart("the renderer of chat templates", () => import("./chat.ts"));
  return part.renderChat;
}
