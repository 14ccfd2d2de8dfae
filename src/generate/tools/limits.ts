/**
 * The limits of tools, each with its reason.
 *
 * @module
 */

/** Tools of a chat; OpenAI takes 128. */
export const TOOLS_MAX = 512;
/** UTF-16 units of a tool's name; OpenAI takes 64. */
export const TOOL_NAME_CHARS_MAX = 256;
