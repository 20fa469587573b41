// The answer, how sure it is, what limits it, what to change.
import { $, make, sentence, table } from "./dom.js";
import { answer, change, intervals, pinned } from "./state.js";
import { money, number, percent, time } from "./units.js";

const CLAIMS = {
  exact: ["exact", "equals the simulation"],
  "lower bound": ["lower bound", "no system with these resources is faster"],
  estimate: ["estimate", "the closed form leaves something out; the simulation decides"],
};
const METRICS = { iteration: "iteration_time_s", ingress: "ingress_time_s", throughput: "updates_per_s" };

export function showHeadline(simulation) {
  const p = simulation?.prediction ?? answer.prediction;
  for (const [id, name] of Object.entries(METRICS)) {
    $(id).textContent = (id === "throughput" ? number : time)(p[name]);
    showClaim($(`${id}-claim`), name, simulation);
  }
  $("bottleneck").textContent = p.bottleneck;
  const wanted = answer.wanted.target_s, verdict = $("verdict");
  verdict.hidden = wanted === null;
  if (wanted !== null) {
    const met = p.iteration_time_s <= wanted * (1 + 1e-9);
    verdict.className = met ? "met" : "missed";
    verdict.textContent = met ? `✓ within ${time(wanted)}` : `✗ more than ${time(wanted)}`;
  }
}

function showClaim(where, name, simulation) {
  const p = answer.prediction;
  if (simulation) {
    const s = simulation.prediction, half = s.half_widths[name];
    where.textContent = half ? `simulated ± ${(name === "updates_per_s" ? number : time)(half)}` : "simulated";
    where.dataset.claim = "simulated";
    where.title = half ? "Half width of the 95 % confidence interval." : "Nothing in it is random.";
    return;
  }
  const [text, why] = CLAIMS[p.claims[name]] ?? ["", ""];
  where.textContent = p[name] === null ? "" : text;
  where.dataset.claim = text;
  where.title = sentence(why);
}

export function showNotes() {
  const { prediction: p, draws } = answer;
  const range = intervals?.iteration_time_s;
  $("notes").textContent = [
    p.claims.iteration_time_s === "exact" ? "The closed form is exact here: the simulation gives the same." : "",
    range ? `Iteration within ${time(range[0])} to ${time(range[1])} (95 %, uncertainty of the fit).`
      : draws > 0 && intervals === null ? "The interval that the fit's uncertainty leaves is being worked out …" : "",
    ...p.notes,
  ].filter(Boolean).join(" ");
}

export function showWhy() {
  const { prediction: p } = answer;
  showNotes();
  limits(p);
  advise(p);
  showBounds(p.bounds);
  table($("gains"), "What a change alone would bring", ["change", "iteration", "by", "then binds"],
    answer.gains.map(g => [g.change, time(g.ratio * p.iteration_time_s), percent(g.ratio), g.bottleneck]), [1, 2]);
  $("gains-left-out").textContent = Object.entries(answer.gains_left_out).map(([what, why]) => `${sentence(what).slice(0, -1)}: ${sentence(why)}`).join(" ");
  showRuns();
}

function limits(p) {
  const most = {};
  for (const b of p.bounds) if (b.time_s > (most[b.phase]?.time_s ?? 0)) most[b.phase] = b;
  const parts = ["pull", "compute", "push"].filter(phase => most[phase]).map(phase => {
    const b = most[phase];
    return make("li", {}, `${phase} takes at least `, make("b", {}, time(b.time_s)), `: ${b.resource}, ${b.formula}`);
  });
  $("limits").replaceChildren(...(parts.length ? parts : [make("li", {}, "An iteration takes no time.")]));
}

// The changes that shorten an iteration, the best first.
function advise(p) {
  const better = answer.gains.filter(g => g.ratio < 0.995).sort((a, b) => a.ratio - b.ratio).slice(0, 3);
  $("advice").replaceChildren(...(better.length ? better.map(g => make("li", {}, make("b", {}, g.change),
    `: ${time(g.ratio * p.iteration_time_s)} (${percent(g.ratio)}); then ${g.bottleneck} binds`))
    : [make("li", {}, "No single change of those tried would shorten it.")]));
}

function showBounds(bounds) {
  const most = {};
  for (const b of bounds) if (b.time_s > (most[b.phase]?.time_s ?? 0)) most[b.phase] = b;
  const shown = bounds.filter(b => b.time_s > 0);
  table($("bounds"), "Lower bounds: no system with these resources is faster", ["phase", "resource", "at least", "by"],
    shown.map(b => [b.phase, b.resource, time(b.time_s), b.formula + (most[b.phase] === b ? " ◂ binds" : "")]), [2],
    shown.map(b => most[b.phase] === b));
}

function showRuns() {
  const here = answer.runs.filter(run => run.varies.length === 0);
  const quiet = here.filter(run => !run.suspect);
  $("measured").hidden = here.length === 0;
  if (here.length === 0) return;
  const used = quiet.length ? quiet : here;
  const mean = used.reduce((sum, run) => sum + run.iteration_time_s, 0) / used.length;
  $("measured").textContent = `Measured: ${time(mean)} per iteration, mean of ${used.length} ${quiet.length ? "" : "suspect "}` +
    `runs; the prediction differs by ${percent(answer.prediction.iteration_time_s / mean)}.`;
}

// ---- pinned and now ----

const SETTINGS = { workers: "workers", shards: "shards", model_size: "model size", bandwidth: "bandwidth", compute: "compute",
  compute_cv: "compute varies", mode: "mode", staleness_bound: "staleness bound", iterations: "iterations" };
function text(value) {
  if (value === undefined) return "–";
  if (Array.isArray(value)) return value.map(text).join("; ");
  if (typeof value === "object") return Object.entries(value).map(([key, inner]) => `${key.replaceAll("_", " ")} ${text(inner)}`).join(", ");
  return typeof value === "number" ? number(value) : String(value);
}

export function showComparison() {
  $("comparison").hidden = pinned === null;
  $("pin").textContent = pinned ? "Unpin" : "Pin this scenario";
  $("pin").setAttribute("aria-pressed", String(pinned !== null));
  if (pinned === null) return;
  const [a, b] = [pinned, answer], rows = [];
  for (const [key, label] of Object.entries(SETTINGS))
    if (a.settings[key].text !== b.settings[key].text) rows.push([label, a.settings[key].text, b.settings[key].text, ""]);
  const shown = new Set([...Object.keys(SETTINGS), "elements", "name", "description", "schema_version", "warmup"]);
  for (const key of new Set([...Object.keys(a.scenario), ...Object.keys(b.scenario)]))
    if (!shown.has(key) && text(a.scenario[key]) !== text(b.scenario[key]))
      rows.push([key.replaceAll("_", " "), text(a.scenario[key]), text(b.scenario[key]), ""]);
  const changed = rows.length, ratio = (x, y) => !(x > 0 && y > 0) ? "–" : y > 10 * x ? `× ${number(y / x)}` : percent(y / x);
  for (const [label, name, show] of [["iteration", "iteration_time_s", time], ["pull", "pull_time_s", time], ["compute", "compute_time_s", time],
    ["push", "push_time_s", time], ["wait", "wait_time_s", time], ["ingress", "ingress_time_s", time], ["updates/s", "updates_per_s", number]]) {
    const x = a.prediction[name], y = b.prediction[name];
    if (x !== null || y !== null) rows.push([label, show(x), show(y), ratio(x, y)]);
  }
  rows.push(["binds", a.prediction.bottleneck, b.prediction.bottleneck, ""]);
  rows.push(["claim", a.prediction.claims.iteration_time_s ?? "–", b.prediction.claims.iteration_time_s ?? "–", ""]);
  if (a.here && b.here)
    rows.push([`${a.currency}/h`, money(a.here.cost_per_hour), money(b.here.cost_per_hour), ratio(a.here.cost_per_hour, b.here.cost_per_hour)]);
  table($("compared"), changed ? "What differs, and what it does (closed forms)" : "Nothing differs yet: change the scenario now", ["", "pinned", "now", "difference"], rows, [1, 2, 3],
    rows.map((_, i) => i < changed));
}

export function makeWanted() {
  for (const key of ["target", "budget"]) $(key).addEventListener("change", () => change({ [key]: $(key).value.trim() }));
}
