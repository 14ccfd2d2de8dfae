/**
 * A turn of a browser's event loop without a timer's wait of 4 ms, or a whole second in a hidden tab.
 *
 * @module
 */

export async function nextTurn(): Promise<void> {
  // Twice: Chromium puts a due timer behind messages sent before it looked; the second comes after the timer.
  await message();
  await message();
}

function message(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}
