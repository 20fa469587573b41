// The sliders: label and exact value above, the slider at full width below.
import { $, make } from "./dom.js";
import { answer, change, choose, state } from "./state.js";
import { number, rate, size, time } from "./units.js";

function ladder(low, high, whole) {
  const steps = whole && low < 10 ? [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];
  const values = [];
  for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10)
    for (const step of steps) values.push(parseFloat((decade * step).toPrecision(3)));
  return values.filter(v => v >= low * 0.999 && v <= high * 1.001 && (!whole || Number.isInteger(v)));
}
const SLIDERS = {
  workers: { label: "Workers N", values: ladder(1, 10000, true), text: String },
  shards: { label: "Shards K", values: ladder(1, 10000, true), text: String },
  model_size: { label: "Model size M", values: ladder(1e4, 1e12), text: size },
  bandwidth: { label: "Bandwidth B", values: ladder(1e7, 1e12).map(v => v / 8), text: rate },
  compute: { label: "Compute time", values: [0, ...ladder(1e-4, 1e3)], text: time },
  compute_cv: { label: "Compute varies (σ/mean)", values: [...Array(31).keys()].map(i => i / 20), text: number },
};

function nearest(values, value) {
  const distance = v => v > 0 && value > 0 ? Math.abs(Math.log(v / value)) : v === value ? 0 : Infinity;
  return values.reduce((best, v, i) => distance(v) < distance(values[best]) ? i : best, 0);
}

export function makeSliders() {
  for (const [key, { label, values, text }] of Object.entries(SLIDERS)) {
    const exact = make("input", { type: "text", id: `${key}-text`, "aria-label": `${label}, exact value`, spellcheck: false, autocomplete: "off" });
    const range = make("input", { type: "range", id: key, min: 0, max: values.length - 1, step: 1 });
    $("sliders").append(make("div", { class: "slider" }, make("label", { htmlFor: key }, label), exact, range));
    range.addEventListener("input", () => {
      exact.value = text(values[range.value]);
      range.setAttribute("aria-valuetext", exact.value);
      change({ [key]: exact.value });
    });
    exact.addEventListener("change", () => change({ [key]: exact.value.trim() }));
  }
}

export function showControls(scenarios) {
  const { settings } = answer;
  for (const [key, { values }] of Object.entries(SLIDERS)) {
    const { value, text } = settings[key], range = $(key), exact = $(`${key}-text`);
    range.disabled = exact.disabled = (key === "bandwidth" && text === "no network") || (key === "compute_cv" && !settings.compute.value);
    if (value !== null && document.activeElement !== range) range.value = nearest(values, value);
    if (document.activeElement !== exact || !state[key]) exact.value = text;
    range.setAttribute("aria-valuetext", text);
  }
  const own = $("own-file");
  own.hidden = !state.file;
  own.textContent = state.file ? `${JSON.parse(state.file).name} (your file)` : "";
  $("scenario").value = state.file ? "" : state.scenario;
  const chosen = scenarios.find(s => s.name === state.scenario);
  $("description").textContent = state.file ? answer.scenario.description ?? "" : chosen?.description ?? "";
}

export function makeChooser(scenarios) {
  for (const measured of [false, true]) {
    const group = make("optgroup", { label: measured ? "measured" : "built in" });
    group.append(...scenarios.filter(s => s.measured === measured).map(s => new Option(s.name)));
    if (group.children.length) $("scenario").append(group);
  }
  $("scenario").append(make("option", { id: "own-file", value: "", hidden: true }));
  $("scenario").addEventListener("change", () => choose({ scenario: $("scenario").value }));
  $("reset").addEventListener("click", () => choose(state.file ? { file: state.file } : { scenario: state.scenario }));
}
