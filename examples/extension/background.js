/**
 * The service worker of the extension. It may end at any time, so the model lives in an offscreen page, which stays:
 * whoever sends `{ ask: "text" }` from a page of the extension gets `{ text }` or `{ error }`.
 */
const PAGE = "offscreen.html";

chrome.action.onClicked.addListener(async () => {
  await open();
  const { text, error } = await chrome.runtime.sendMessage({ to: "model", prompt: "ROMEO:" });
  await chrome.action.setTitle({ title: text ?? error });
});

chrome.runtime.onMessage.addListener(({ ask }, _, answer) => {
  if (typeof ask !== "string") return false;
  open().then(async () => answer(await chrome.runtime.sendMessage({ to: "model", prompt: ask })));
  return true;
});

async function open() {
  if (await chrome.offscreen.hasDocument()) return;
  await chrome.offscreen.createDocument({
    url: PAGE,
    reasons: ["WORKERS"],
    justification: "The model runs in a worker, which a service worker cannot start.",
  });
}
