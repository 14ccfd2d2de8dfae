/**
 * A turn of a browser's event loop without a timer's wait: 4 ms, and a whole second in a tab that is hidden.
 *
 * @module
 */

export async function nextTurn(): Promise<void> {
  // Twice: Chromium puts a timer that is due behind the messages sent before it looked. The second stands behind the
  // timer.
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
