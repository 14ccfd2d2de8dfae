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
let stop = new AbortController();
form.onreset = () => stop.abort();
form.onsubmit = async (event) => {
  event.preventDefault();
  stop.abort();
  stop = new AbortController();
  output.textContent = form.text.value;
  const body = JSON.stringify({ text: form.text.value, temperature: 0.8 });
  const response = await fetch("/generate", { method: "POST", body, signal: stop.signal });
  if (!response.ok) return void (output.textContent = (await response.json()).message);
  let rest = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + chunk).split("\\n\\n");
    rest = events.pop();
    for (const [, name, data] of events.map((event) => /^event: (.*)\\ndata: (.*)$/.exec(event))) {
      if (name === "text") output.append(JSON.parse(data));
      if (name === "error") output.append("\\n" + JSON.parse(data).message);
    }
  }
};
</script>
`;
