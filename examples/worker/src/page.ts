/** A page to try the server: a text goes out, its continuation comes in as it is written. */
export const PAGE = `<!doctype html>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>onebit</title>
<style>
body { font: 16px/1.5 system-ui; max-width: 40em; margin: 2em auto; padding: 0 1em }
output { white-space: pre-wrap }
</style>
<form><input name="text" value="ROMEO:" size="40"> <button>Go on</button> <button type="reset">Stop</button></form>
<output></output>
<script type="module">
const form = document.querySelector("form"), output = document.querySelector("output");
// What goes on from a text goes on in the isolate that has read it.
const headers = { "content-type": "application/json", "x-conversation-id": crypto.randomUUID() };
let stop = new AbortController();
form.onreset = () => stop.abort();
form.onsubmit = async (event) => {
  event.preventDefault();
  stop.abort();
  stop = new AbortController();
  output.textContent = form.text.value;
  const body = JSON.stringify({ prompt: form.text.value, max_tokens: 200, stream: true });
  const response = await fetch("/v1/completions", { method: "POST", headers, body, signal: stop.signal });
  if (!response.ok) return void (output.textContent = (await response.json()).error.message);
  let rest = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + chunk).split("\\n\\n");
    rest = events.pop();
    for (const [, data] of events.map((event) => /^data: (\\{.*)$/.exec(event)).filter(Boolean)) {
      const { choices, error } = JSON.parse(data);
      output.append(error ? "\\n" + error.message : choices[0].text);
    }
  }
};
</script>
`;
