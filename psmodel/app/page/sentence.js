// The question as a sentence whose numbers can be edited in place.
import { $, make } from "./dom.js";
import { answer, change, state } from "./state.js";

const BLANKS = { workers: "Workers", model_size: "Model size", shards: "Shards", bandwidth: "Bandwidth", compute: "Compute time" };
const inputs = {};

// Verb, preposition, and what follows the shards.
function words({ pull = "parallel", push = "blocking" }) {
  if (push === "none") return ["pull", " from ", ""];
  return ["push", " to ", pull === "none" ? "" : " and pull it back"];
}

export function makeSentence() {
  for (const [key, label] of Object.entries(BLANKS)) {
    const input = make("input", { type: "text", id: `q-${key}`, "aria-label": label, spellcheck: false, autocomplete: "off" });
    input.addEventListener("change", () => change({ [key]: input.value.trim() }));
    input.addEventListener("input", () => fit(input));
    inputs[key] = input;
  }
  const mode = inputs.mode = make("select", { id: "q-mode", "aria-label": "How workers keep step" },
    new Option("in step", "bsp"), new Option("out of step", "asp"), new Option("at most so many iterations apart:", "ssp"));
  mode.addEventListener("change", () => change({ mode: mode.value }));
  const bound = inputs.staleness_bound = make("input", { type: "text", id: "q-staleness_bound", "aria-label": "Iterations apart", inputmode: "numeric" });
  bound.addEventListener("change", () => change({ staleness_bound: bound.value.trim() }));
  inputs.verb = make("span");
  inputs.to = make("span");
  inputs.back = make("span");
  inputs.ofWorkers = make("span");
  inputs.ofShards = make("span");
  inputs.over = make("span", {}, " over ", inputs.bandwidth);
  $("question").replaceChildren(inputs.workers, inputs.ofWorkers, inputs.verb, " ", inputs.model_size, inputs.to, inputs.shards,
    inputs.ofShards, inputs.back, inputs.over, ", ", mode, bound, ", and compute for ", inputs.compute, " in each iteration.");
}

function fit(input) {
  input.size = Math.max(input.value.length, 2);
}

export function showSentence() {
  const { settings, features, scenario } = answer;
  for (const key of [...Object.keys(BLANKS), "staleness_bound"]) {
    const input = inputs[key];
    if (document.activeElement !== input || !(key in state)) input.value = settings[key].value === null && key !== "bandwidth" ? "" : settings[key].text;
    fit(input);
  }
  inputs.mode.value = settings.mode.value;
  inputs.staleness_bound.hidden = settings.mode.value !== "ssp";
  inputs.over.hidden = settings.bandwidth.text === "no network";
  inputs.ofWorkers.textContent = settings.workers.value === 1 ? " worker " : " workers ";
  inputs.ofShards.textContent = settings.shards.value === 1 ? " shard" : " shards";
  [inputs.verb.textContent, inputs.to.textContent, inputs.back.textContent] = words(scenario);
  if (settings.workers.value === 1) inputs.verb.textContent = words(scenario)[0] === "push" ? "pushes" : "pulls";
  $("also").textContent = features.length ? `Also: ${features.join(", ")}.` : "";
  $("also").hidden = features.length === 0;
}
