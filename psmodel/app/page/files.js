// Scenario files brought and taken along, and what else can be copied.
import { $, complain } from "./dom.js";
import { address, answer, choose, query } from "./state.js";

async function bring(text, source) {
  const response = await fetch(`api/read?source=${encodeURIComponent(source)}`, { method: "POST", body: text });
  const said = await response.json();
  if (said.error) return complain(said.error);
  $("paste").value = "";
  $("bring").open = false;
  await choose({ file: JSON.stringify(said.file) });
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    $("copied").textContent = `${what} copied.`;
  } catch {
    $("copied").textContent = "The browser does not let this page copy; select the text instead.";
  }
}

export function makeFiles() {
  $("upload").addEventListener("change", async () => {
    const [file] = $("upload").files;
    if (file) await bring(await file.arrayBuffer(), file.name);
    $("upload").value = "";
  });
  $("use-paste").addEventListener("click", () => bring($("paste").value, "pasted text"));
  $("copy-command").addEventListener("click", () => copy(answer.command, "Command"));
  $("copy-link").addEventListener("click", () => copy(new URL(address(), location.href).href, "Link"));
}

export function showFiles() {
  $("command").textContent = answer.command;
  $("json").href = `api/all?${query()}`;
  $("toml").href = `api/scenario.toml?${query()}`;
}
