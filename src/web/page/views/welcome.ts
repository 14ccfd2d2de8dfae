/**
 * The empty conversation: what this model does with a text, and examples to try.
 *
 * @module
 */
import { type OpenModel, nameOf } from "../state/model-session.ts";
import { button, byId, element } from "./elements.ts";

const BEGINNINGS = [
  "ROMEO:\n",
  "To be, or not to be: that is the",
  "KING HENRY:\nMy lords,",
  "Shall I compare thee to",
] as const;
const QUESTIONS = ["Write a haiku about rain.", "Explain tides to a child.", "Three names for a small boat."] as const;

export function showWelcome(isEmpty: boolean, open: OpenModel | undefined, begin: (text: string) => void): void {
  byId("welcome").hidden = !isEmpty || open === undefined;
  if (!isEmpty || open === undefined) return;
  const isChat = open.style === "chat",
    beginnings = isChat ? QUESTIONS : BEGINNINGS;
  byId("welcome-title").textContent = isChat ? "Ask something" : "Begin a text";
  byId("welcome-text").textContent = textFor(open);
  byId("examples").replaceChildren(
    ...beginnings.map((text) =>
      element(
        "li",
        {},
        button(text.replaceAll("\n", " ").trim(), () => begin(text), "chip"),
      ),
    ),
  );
}

function textFor({ choice, style }: OpenModel): string {
  if (choice.kind === "built-in")
    return (
      "This model does not chat: it continues your text in the manner of Shakespeare. It is small, 3 " +
      "million weights of −1, 0 and +1, and makes up words."
    );
  return style === "chat"
    ? `${nameOf(choice)} answers from this device.`
    : `${nameOf(choice)} has no chat template: it continues your text.`;
}
