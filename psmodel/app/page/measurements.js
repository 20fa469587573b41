// The page of measurements: suites, their scenarios, predicted against measured iteration time.
import { figure, instead, logAxis, note, put } from "./charts.js";
import { $, make, table } from "./dom.js";
import { drawCourses, showDrift } from "./drift.js";
import { watch } from "./underway.js";
import { FILLS, number, onThemeOrSize, palette, percent, time } from "./units.js";

let suites = [], fitted = false, store = false;
const named = suite => suite || "runs by themselves";
const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
const mean = values => values.reduce((sum, v) => sum + v, 0) / values.length;
const errors = rows => rows.filter(row => row.error !== null).map(row => Math.abs(row.error));
const share = x => `${(100 * x).toFixed(1)} %`;
const SYMBOLS = ["circle", "diamond", "rect", "triangle", "pin", "arrow"];

function summarise() {
  const all = suites.flatMap(s => s.scenarios);
  if (all.length === 0) {
    $("summary").textContent = store ? "There are no measurements in the store yet."
      : "There are no measurements: start the page with `psmodel app --store .psmodel/measurements.sqlite`.";
    return;
  }
  const off = errors(all);
  const runs = all.reduce((sum, row) => sum + row.runs, 0), suspect = all.reduce((sum, row) => sum + row.suspect, 0);
  $("summary").textContent = `${counted(runs, "run")} of ${counted(all.length, "scenario")}; predictions are ${off.length ? share(mean(off)) : "–"} off on average ` +
    `(closed forms, ${fitted ? "with the fit's coefficients" : "of the ideal system: start with --fit FILE for fitted coefficients"}).` +
    (suspect ? ` ${counted(suspect, "run")} ${suspect === 1 ? "is" : "are"} suspect and count${suspect === 1 ? "s" : ""} only where a scenario has no other.` : "");
  table($("suites"), "Suites", ["suite", "mean error", "largest", "scenarios", "runs", "suspect", "last run"], suites.map(({ suite, scenarios }) => {
    const off = errors(scenarios);
    return [named(suite), off.length ? share(mean(off)) : "–", off.length ? share(Math.max(...off)) : "–", String(scenarios.length),
      String(scenarios.reduce((n, r) => n + r.runs, 0)), String(scenarios.reduce((n, r) => n + r.suspect, 0)), scenarios.map(r => r.last).sort().at(-1).slice(0, 16).replace("T", " ")];
  }), [1, 2, 3, 4, 5]);
}

function draw() {
  if (suites.length === 0) return;
  const c = palette(), shown = suites.map(s => ({ ...s, scenarios: s.scenarios.filter(r => r.predicted_s > 0 && r.measured_s > 0) }));
  const values = shown.flatMap(s => s.scenarios.flatMap(r => [r.predicted_s, r.measured_s]));
  if (values.length === 0) {
    for (const name of ["scatter", "errors"]) instead(name, "The model predicts no time of any of these scenarios, so that there is nothing to draw.");
    return;
  }
  const axis = logAxis(values, time);
  put("scatter", "Predicted against measured iteration time, a point per scenario; on the diagonal both are equal.", {
    xAxis: { ...axis, name: "measured", nameGap: 24 }, yAxis: { ...axis, name: "predicted", nameGap: 56 },
    tooltip: { formatter: ({ data }) => `${data.row.scenario}\nmeasured ${time(data.row.measured_s)}\npredicted ${time(data.row.predicted_s)}` },
    series: [
      { name: "equal", type: "line", symbol: "none", silent: true, color: c.quiet, lineStyle: { type: "dashed" }, data: [[axis.min, axis.min], [axis.max, axis.max]] },
      ...shown.map(({ suite, scenarios }, i) => ({ name: named(suite), type: "scatter", symbol: SYMBOLS[i % SYMBOLS.length], symbolSize: 9,
        color: FILLS[i % FILLS.length], data: scenarios.map(row => ({ value: [row.measured_s, row.predicted_s], row })) })),
    ],
  }, ["suite", "scenario", "measured_s", "predicted_s"], shown.flatMap(s => s.scenarios.map(r => [s.suite, r.scenario, r.measured_s, r.predicted_s])));
  note("scatter", "A point per scenario; on the line both are equal.");
  const off = shown.flatMap(s => s.scenarios.map(r => 100 * r.error)), reach = Math.max(5, ...off.map(Math.abs)) * 1.1;
  put("errors", "Error of each prediction against the measured iteration time, a point per scenario.", {
    xAxis: { ...axis, name: "measured", nameGap: 24 }, yAxis: { type: "value", name: "error, %", nameGap: 44, min: -reach, max: reach, axisLabel: { formatter: x => number(x), showMinLabel: false, showMaxLabel: false } },
    tooltip: { formatter: ({ data }) => `${data.row.scenario}\n${percent(1 + data.row.error)}` },
    series: [
      { name: "exact", type: "line", symbol: "none", silent: true, color: c.quiet, lineStyle: { type: "dashed" }, data: [[axis.min, 0], [axis.max, 0]] },
      ...shown.map(({ suite, scenarios }, i) => ({ name: named(suite), type: "scatter", symbol: SYMBOLS[i % SYMBOLS.length], symbolSize: 9,
        color: FILLS[i % FILLS.length], data: scenarios.map(row => ({ value: [row.measured_s, 100 * row.error], row })) })),
    ],
  }, ["suite", "scenario", "measured_s", "error"], shown.flatMap(s => s.scenarios.map(r => [s.suite, r.scenario, r.measured_s, r.error])));
  note("errors", "Predicted less measured, in % of measured; above 0 the prediction is too long.");
}

function list() {
  const open = new Set([...$("rows").querySelectorAll("details[open]")].map(holder => holder.dataset.suite));
  $("rows").replaceChildren();
  for (const { suite, scenarios } of suites) {
    const made = make("table");
    table(made, "Iteration time", ["scenario", "measured", "predicted", "error", "claim", "from … to", "runs", "suspect", "testbed"],
      scenarios.map(r => [r.chosen ? make("a", { href: `./?${new URLSearchParams({ scenario: r.scenario })}` }, r.scenario) : r.scenario,
        time(r.measured_s), time(r.predicted_s), r.error === null ? "–" : percent(1 + r.error), r.claim,
        `${time(r.least_s)} … ${time(r.most_s)}`, String(r.runs), String(r.suspect), r.testbeds.join(", ")]), [1, 2, 3, 5, 6, 7]);
    $("rows").append(make("details", { class: "card", "data-suite": suite, open: suites.length === 1 || open.has(suite) }, make("summary", {}, `${named(suite)}: ${counted(scenarios.length, "scenario")}`),
      make("div", { class: "scroll", role: "region", tabIndex: 0, "aria-label": `Table of ${named(suite)}` }, made)));
  }
}

async function show() {
  ({ suites, fitted, store } = await (await fetch("api/runs")).json());
  summarise();
  $("charts").hidden = suites.length === 0;
  draw();
  list();
  await showDrift();
}

figure("scatter", "Predicted against measured");
figure("errors", "Errors of the predictions");
onThemeOrSize(() => {
  draw();
  drawCourses();
});
await show();
await watch(show);
