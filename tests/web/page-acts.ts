/**
 * What a person does on the chat page and waits for, as steps of tests.
 */
import assert from "node:assert/strict";
import type { DrivenPage } from "./page-driver.ts";

/** A browser that has just started on two busy cores may take half of it for one page. */
export const WAIT_MS = 60_000;

/** Asked in every frame of the page, in which it can also act at once. */
export async function until(page: DrivenPage, condition: string): Promise<void> {
  try {
    await page.waitForFunction(condition, { timeout: WAIT_MS });
  } catch (cause) {
    throw new Error(`never came: ${condition}`, { cause });
  }
}

export async function isReady(page: DrivenPage): Promise<void> {
  await until(
    page,
    `document.querySelector("#loading").hidden && document.querySelector("#prompt").placeholder !== "" && ` +
      `!document.querySelector("#send").hidden`,
  );
}

export async function hasModel(page: DrivenPage, name: string): Promise<void> {
  await until(
    page,
    `document.querySelector("#loading").hidden && document.querySelector("#model-name").textContent ` +
      `=== ${JSON.stringify(name)}`,
  );
}

export async function hasEnded(page: DrivenPage): Promise<void> {
  await until(
    page,
    `document.querySelector("#stop").hidden && document.querySelector(".assistant:last-child .actions") !== null`,
  );
}

export async function says(page: DrivenPage, selector: string, what: RegExp): Promise<void> {
  await until(page, `${what}.test(document.querySelector(${JSON.stringify(selector)})?.textContent)`);
}

export async function say(page: DrivenPage, text: string): Promise<void> {
  await page.type("#prompt", text);
  await page.keyboard.press("Enter");
  await isTaken(page);
}

/**
 * What was typed is being answered. A driver may go on before the page has heard of the key, and find the answer
 * before.
 */
export async function isTaken(page: DrivenPage): Promise<void> {
  await until(page, `document.querySelector("#prompt").value === ""`);
}

export function textOf(page: DrivenPage, selector: string): Promise<string> {
  return page.evaluate<string>(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ""`);
}

export function turns(page: DrivenPage): Promise<string[]> {
  return page.evaluate<string[]>(`[...document.querySelectorAll(".turn .text")].map(({ textContent }) => textContent)`);
}

export function focused(page: DrivenPage): Promise<string> {
  return page.evaluate<string>("document.activeElement?.id");
}

/** Presses Tab until the element has the focus. */
export async function tabTo(page: DrivenPage, id: string): Promise<void> {
  for (let presses = 0; presses < 30; presses++) {
    if ((await focused(page)) === id) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not reach #${id}`);
}

export async function clickAction(page: DrivenPage, label: string): Promise<void> {
  await clickButton(page, "#transcript", label);
}

export async function clickButton(page: DrivenPage, within: string, label: string): Promise<void> {
  // As the keyboard does it: with the focus on the button.
  const found = await page.evaluate<boolean>(`(() => {
    const buttons = [...document.querySelectorAll(${JSON.stringify(`${within} button`)})]
      .filter(({ textContent }) => textContent === ${JSON.stringify(label)});
    buttons.at(-1)?.focus();
    buttons.at(-1)?.click();
    return buttons.length > 0;
  })()`);
  assert.ok(found, `${within} has no button ${label}`);
}

export async function openDialog(page: DrivenPage, id: "models" | "settings"): Promise<void> {
  await page.click(`#open-${id}`);
  await until(page, `document.querySelector("#${id}").open`);
}

export async function closeDialog(page: DrivenPage): Promise<void> {
  await page.keyboard.press("Escape");
  await until(page, `document.querySelector("dialog[open]") === null`);
}

export async function setRange(page: DrivenPage, id: string, value: number): Promise<void> {
  await page.evaluate(
    `{ const range = document.querySelector("#${id}"); range.value = ${value}; range.dispatchEvent(new ` +
      `Event("input", { bubbles: true })); }`,
  );
}

export async function download(page: DrivenPage, source: string): Promise<void> {
  await openDialog(page, "models");
  await page.type("#source", source);
  await page.keyboard.press("Enter");
}

/** Drops a file that the page fetches for it. */
export async function drop(page: DrivenPage, url: string, name: string): Promise<void> {
  await page.evaluate(`fetch(${JSON.stringify(url)}).then((answer) => answer.blob()).then((blob) => {
    const carried = new DataTransfer();
    carried.items.add(new File([blob], ${JSON.stringify(name)}));
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
  })`);
}
