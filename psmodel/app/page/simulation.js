// Simulations: by a click, and by themselves where the closed form is not exact; the timeline of one iteration.
import { note, put } from "./charts.js";
import { $, sentence } from "./dom.js";
import { answer, change, query, state } from "./state.js";
import { HATCHES, number, palette, percent, PHASES, time } from "./units.js";

const WAIT_MS = 600;  // a slider that is being dragged starts no simulation
let source = null, simulated = null, soon = null, onResult = () => {};

export function forget() {
  clearTimeout(soon);
  source?.close();
  source = simulated = null;
  $("simulated").textContent = "";
  $("progress").hidden = $("timeline").hidden = true;
  $("simulate").textContent = "Simulate";
}

export function simulateIfNeeded() {
  $("iterations").value = answer.settings.iterations.value ?? "";
  $("replications").value = state.replications ?? "";
  if ((answer.prediction.claims.iteration_time_s ?? "exact") === "exact") return;
  $("simulated").textContent = "The closed form is only " + (answer.prediction.claims.iteration_time_s === "estimate" ? "an estimate" : "a lower bound") + " here, so it is being simulated …";
  soon = setTimeout(start, WAIT_MS);
}

function start() {
  forget();
  source = new EventSource(`api/simulate?${query()}`);
  $("simulate").textContent = "Stop";
  $("progress").hidden = false;
  $("progress").removeAttribute("value");
  source.addEventListener("progress", event => {
    const [done, of] = JSON.parse(event.data);
    if (done > 0) $("progress").value = Math.min(done / of, 1);
  });
  source.addEventListener("result", event => {
    forget();
    simulated = JSON.parse(event.data);
    show();
    onResult(simulated);
  });
  source.addEventListener("problem", event => {
    forget();
    $("simulated").textContent = sentence(JSON.parse(event.data));
  });
  source.onerror = () => {
    forget();
    $("simulated").textContent = "The simulation was refused or cut off; see the sentence at the top, or try again.";
  };
}

export function makeSimulation(listener) {
  onResult = listener;
  $("simulate").addEventListener("click", () => source ? forget() : start());
  for (const key of ["iterations", "replications"]) $(key).addEventListener("change", () => change({ [key]: $(key).value }));
}

function show() {
  const { prediction: p, timeline } = simulated, steady = p.steady_state;
  const half = p.half_widths.iteration_time_s ?? steady?.half_width_s;
  const formula = p.iteration_time_s / answer.prediction.iteration_time_s;
  const how = steady === null ? "" : steady.period ? ` It repeats itself every ${steady.period === 1 ? "iteration" : `${steady.period} iterations`}.`
    : ` Steady state: ${steady.iterations} iterations of each worker after ${steady.warmup_iterations} of warm-up${steady.reached ? "" : "; the budget ended before the precision was reached"}.`;
  $("simulated").textContent = `Simulated: ${time(p.iteration_time_s)}${half ? ` ± ${time(half)} (95 %)` : ""} per iteration, ` +
    `${number(p.updates_per_s)} updates/s, ingress ${time(p.ingress_time_s)}; ${p.bottleneck} is busiest` +
    `${Number.isFinite(formula) ? `; ${percent(formula)} against the closed form` : ""}.${how}` +
    (timeline ? "" : " Too many messages to draw a timeline.");
  if (timeline) drawTimeline();
}

export function drawTimeline() {
  const timeline = simulated?.timeline;
  if (!timeline) return;
  const c = palette(), names = timeline.rows.map(r => r.row), rows = [];
  timeline.rows.forEach(({ row, bars }, i) => bars.forEach(b => rows.push([row, b.name, b.start_s, b.end_s, i])));
  const kinds = Object.keys(PHASES).filter(kind => rows.some(row => row[1] === kind));
  $("timeline").hidden = false;
  $("timeline").querySelector(".chart").style.height = `${names.length * 22 + 90}px`;
  put("timeline", `One simulated iteration of ${time(timeline.length_s)}: ${names.length} rows of workers and shards.`, {
    xAxis: { type: "value", name: "since the iteration began", nameGap: 24, min: 0, max: timeline.length_s, axisLabel: { formatter: time, showMaxLabel: false } },
    yAxis: { type: "category", data: names, inverse: true, splitLine: { show: false }, axisLabel: { interval: 0 } },
    tooltip: { formatter: ({ seriesName, value }) => `${names[value[0]]}: ${seriesName}\n${time(value[1])} to ${time(value[2])}` },
    series: kinds.map((kind, i) => ({
      name: kind, type: "custom", itemStyle: { color: PHASES[kind], opacity: 0.85, decal: HATCHES[i] }, encode: { x: [1, 2], y: 0 },
      data: rows.filter(row => row[1] === kind).map(row => [row[4], row[2], row[3]]),
      renderItem: (_, api) => {
        const [left, y] = api.coord([api.value(1), api.value(0)]), [right] = api.coord([api.value(2), api.value(0)]);
        return { type: "rect", shape: { x: left, y: y - 7, width: Math.max(right - left, 1), height: 14 },
          style: { ...api.style(), decal: HATCHES[i] } };
      },
    })),
  }, ["row", "what", "start_s", "end_s"], rows.map(row => row.slice(0, 4)));
  note("timeline", "Hosts to which the very same happens are one row." +
    (timeline.hidden ? ` ${timeline.hidden} rows more are not drawn.` : ""));
}
