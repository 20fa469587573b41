"use strict";
// The state is what differs from the scenario's own values, as people write it; the address bar holds it, the server
// computes every number (api/answer), and this file only shows them.

const $ = id => document.getElementById(id);
// Okabe & Ito (2008), as in psmodel/plotting/charts.py. What colour says, a dash, a symbol or a hatch says too.
const [BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, GREY] =
  ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#767676"];
const FILLS = [BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW, GREY];
const HATCHES = [
  { symbol: "none" }, { rotation: -Math.PI / 4, dashArrayX: [1, 0], dashArrayY: [2, 6] },
  { symbol: "circle", symbolSize: 0.5 }, { rotation: Math.PI / 4, dashArrayX: [1, 0], dashArrayY: [3, 5] },
  { dashArrayX: [1, 0], dashArrayY: [2, 5] }, { rotation: Math.PI / 2, dashArrayX: [1, 0], dashArrayY: [2, 5] },
  { symbol: "rect", symbolSize: 0.6 },
].map(hatch => ({ color: "rgba(255,255,255,.45)", ...hatch }));

// ---- quantities as people write them (as psmodel.units does) ----

function scaled(value, steps) {
  const [factor, unit] = steps.find(([f]) => value >= f * 0.9995) ?? steps.at(-1);
  return `${parseFloat((value / factor).toPrecision(4))} ${unit}`;
}
const time = s => s === null || s === undefined ? "–" : s === 0 ? "0 s"
  : scaled(s, [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]]);
const size = b => scaled(b, [[1e15, "PB"], [1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]]);
const rate = b => scaled(b * 8, [[1e12, "Tbit/s"], [1e9, "Gbit/s"], [1e6, "Mbit/s"], [1e3, "kbit/s"], [1, "bit/s"]]);
const number = x => x === null || x === undefined ? "–" : String(parseFloat(x.toPrecision(4)));
const money = x => x.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const percent = ratio => `${ratio < 1 ? "−" : "+"}${Math.abs(100 * (ratio - 1)).toFixed(1)} %`;

// ---- controls ----

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
const FIELDS = ["staleness_bound", "iterations"];
let state = {};      // key → text, only what was changed
let answer = null;   // the last one
let scenarios = [];

function nearest(values, value) {
  const distance = v => v > 0 && value > 0 ? Math.abs(Math.log(v / value)) : v === value ? 0 : Infinity;
  return values.reduce((best, v, i) => distance(v) < distance(values[best]) ? i : best, 0);
}

function makeSliders() {
  for (const [key, { label, values, text }] of Object.entries(SLIDERS)) {
    const pair = document.createElement("div");
    pair.className = "pair";
    pair.innerHTML = `<label for="${key}">${label}</label>
      <input type="text" id="${key}-text" aria-label="${label}, exact value">
      <input type="range" id="${key}" min="0" max="${values.length - 1}" step="1">`;
    $("sliders").append(pair);
    const range = $(key), exact = $(`${key}-text`);
    range.addEventListener("input", () => {
      exact.value = text(values[range.value]);
      range.setAttribute("aria-valuetext", exact.value);
      change(key, exact.value);
    });
    exact.addEventListener("change", () => change(key, exact.value.trim()));
  }
}

function change(key, text) {
  if (text === "") delete state[key];
  else state[key] = text;
  if (key === "mode") {
    delete state.staleness_bound;
    if (text === "ssp") state.staleness_bound = "3";
  }
  ask();
}

function query() {
  return new URLSearchParams(Object.entries(state)).toString();
}

function fill(settings) {
  for (const [key, { values }] of Object.entries(SLIDERS)) {
    const { value, text } = settings[key], range = $(key), exact = $(`${key}-text`);
    range.disabled = exact.disabled = (key === "bandwidth" && text === "no network") || (key === "compute_cv" && !settings.compute.value);
    if (value !== null && document.activeElement !== range) range.value = nearest(values, value);
    if (document.activeElement !== exact || !state[key]) exact.value = text;
    range.setAttribute("aria-valuetext", text);
  }
  $("mode").value = settings.mode.value;
  $("staleness").hidden = settings.mode.value !== "ssp";
  for (const key of FIELDS)
    if (document.activeElement !== $(key)) $(key).value = settings[key].value ?? "";
}

// ---- asking ----

let asking = null;

async function ask() {
  asking?.abort();
  const mine = asking = new AbortController();
  forgetSimulation();
  try {
    const response = await fetch(`api/answer?${query()}`, { signal: mine.signal });
    const said = await response.json();
    if (mine.signal.aborted) return;
    complain(said.error);
    if (said.error) return;
    answer = said;
    history.replaceState(null, "", `?${query()}`);
    show();
  } catch (error) {
    if (error.name !== "AbortError") complain("psmodel does not answer any more; is `psmodel app` still running?");
  }
}

function complain(sentence) {
  $("problem").hidden = !sentence;
  $("problem").textContent = sentence ? sentence[0].toUpperCase() + sentence.slice(1) + "." : "";
}

// ---- showing ----

function show() {
  const { prediction: p, intervals } = answer;
  fill(answer.settings);
  $("iteration").textContent = time(p.iteration_time_s);
  $("ingress").textContent = time(p.ingress_time_s);
  $("throughput").textContent = number(p.updates_per_s);
  $("bottleneck").textContent = p.bottleneck;
  const range = intervals.iteration_time_s;
  $("notes").textContent = [
    range ? `Iteration within ${time(range[0])} to ${time(range[1])} (95 %, uncertainty of the fit).` : "", ...p.notes,
  ].join(" ");
  showBounds(p.bounds);
  table("gains", "What a change alone would bring", ["change", "iteration", "", "then binds"],
    answer.gains.map(g => [g.change, time(g.ratio * p.iteration_time_s), percent(g.ratio), g.bottleneck]), [1, 2]);
  showRuns();
  const chosen = scenarios.find(s => s.name === $("scenario").value);
  $("description").textContent = chosen?.description ?? "";
  $("command").textContent = answer.command;
  $("json").href = `api/answer?${query()}`;
  draw();
}

function showBounds(bounds) {
  const most = {};
  for (const b of bounds) if (b.time_s > (most[b.phase]?.time_s ?? 0)) most[b.phase] = b;
  const shown = bounds.filter(b => b.time_s > 0);
  table("bounds", "Lower bounds: no system with these resources is faster", ["phase", "resource", "at least", "by"],
    shown.map(b => [b.phase, b.resource, time(b.time_s), b.formula + (most[b.phase] === b ? " ◂ binds" : "")]), [2],
    shown.map(b => most[b.phase] === b));
}

function table(id, caption, headings, rows, numeric, bold = []) {
  const cell = (name, text, column) => {
    const made = document.createElement(name);
    made.textContent = text;
    if (numeric.includes(column)) made.className = "number";
    return made;
  };
  const line = (name, cells) => {
    const made = document.createElement("tr");
    made.append(...cells.map((text, column) => cell(name, text, column)));
    return made;
  };
  const title = document.createElement("caption");
  title.textContent = caption;
  const lines = rows.map(cells => line("td", cells));
  lines.forEach((made, i) => made.classList.toggle("binds", Boolean(bold[i])));
  $(id).replaceChildren(title, line("th", headings), ...lines);
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

// ---- charts ----

const charts = {};  // name → {figure, chart, option, columns, rows}

function palette() {
  const style = getComputedStyle(document.documentElement);
  const read = name => style.getPropertyValue(`--${name}`).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return {
    text: read("text"), quiet: read("quiet"), grid: read("grid"), card: read("card"),
    first: dark ? SKY : BLUE, second: dark ? ORANGE : VERMILION,
  };
}

function figure(name, title, note, holder) {
  const made = holder ?? document.createElement("figure");
  made.innerHTML = `<figcaption><strong></strong><span><button type="button">SVG</button>
    <button type="button">CSV</button></span><small></small></figcaption><div class="chart" role="img"></div>`;
  made.querySelector("strong").textContent = title;
  made.querySelector("small").textContent = note;
  const [svg, csv] = made.querySelectorAll("button");
  svg.setAttribute("aria-label", `${title}: download as SVG`);
  csv.setAttribute("aria-label", `${title}: download data as CSV`);
  svg.addEventListener("click", () => save(`psmodel-${name}.svg`, toSvg(name), "image/svg+xml"));
  csv.addEventListener("click", () => save(`psmodel-${name}.csv`, toCsv(name), "text/csv"));
  if (!holder) {
    made.className = "card";
    $("results").insertBefore(made, $("h-simulate").parentElement);
  }
  charts[name] = { figure: made, chart: echarts.init(made.querySelector(".chart")) };
}

function put(name, description, option, columns, rows) {
  const c = palette(), entry = charts[name];
  entry.figure.hidden = option === null;
  if (option === null) return;
  const axis = given => ({
    nameLocation: "middle", nameTextStyle: { color: c.quiet }, axisLabel: { color: c.quiet, hideOverlap: true, ...given.axisLabel },
    axisLine: { show: true, lineStyle: { color: c.quiet } }, splitLine: { lineStyle: { color: c.grid } },
    minorTick: { show: false }, ...Object.fromEntries(Object.entries(given).filter(([key]) => key !== "axisLabel")),
  });
  const whole = {
    animation: false, textStyle: { fontFamily: "system-ui, sans-serif", color: c.text },
    backgroundColor: "transparent", aria: { enabled: true, label: { description } },
    legend: { top: 0, left: 0, textStyle: { color: c.text }, itemWidth: 30, type: "scroll" },
    grid: { left: 8, right: 24, top: 38, bottom: 6, outerBoundsMode: "same", outerBoundsContain: "all" },
    tooltip: { renderMode: "richText", confine: true, backgroundColor: c.card, borderColor: c.quiet, textStyle: { color: c.text } },
    ...option, xAxis: axis(option.xAxis), yAxis: axis(option.yAxis),
  };
  Object.assign(entry, { option: whole, columns, rows });
  entry.chart.resize();
  entry.chart.setOption(whole, true);
}

const WORDS = { iteration_time_s: "iteration", ingress_time_s: "ingress" };

function drawCurve(key, letter) {
  const curve = answer.curves[key], c = palette(), here = answer.settings[key].value;
  if (curve === null) return put(key, "", null);
  const metrics = Object.keys(WORDS).filter(name => curve[name]);
  const shown = y => y > 0;
  const lines = metrics.map((name, i) => ({
    name: WORDS[name], type: "line", symbol: "none", color: i ? c.second : c.first,
    lineStyle: { width: 2.5, type: i ? "dashed" : "solid" },
    data: curve.x.map((x, j) => [x, curve[name][j]]).filter(([, y]) => shown(y)),
  }));
  const now = { name: "now", type: "scatter", symbol: "circle", symbolSize: 13, color: c.text, z: 4,
    itemStyle: { color: c.card, borderColor: c.text, borderWidth: 2.5 },
    data: [[here, answer.prediction.iteration_time_s]].filter(([, y]) => shown(y)) };
  const runs = answer.runs.filter(run => run.varies.every(name => name === key));
  const measured = { name: "measured", type: "scatter", symbol: "diamond", symbolSize: 10, color: c.second, z: 5,
    data: runs.map(run => ({ value: [run[key], run.iteration_time_s],
      itemStyle: run.suspect ? { color: "transparent", borderColor: c.second, borderWidth: 1.5 } : {} })) };
  const first = metrics[0];
  const description = `Iteration time against ${key}: ${time(curve[first][0])} at ${letter} = 1, ` +
    `${time(answer.prediction.iteration_time_s)} at ${here}, ${time(curve[first].at(-1))} at ${curve.x.at(-1)}.`;
  put(key, description, {
    xAxis: { type: "log", name: `${key} ${letter}`, nameGap: 24, min: 1, max: curve.x.at(-1), axisLabel: { formatter: number } },
    yAxis: { type: "log", axisLabel: { formatter: time } },
    tooltip: { renderMode: "richText", confine: true, trigger: "axis", backgroundColor: c.card, borderColor: c.quiet,
      textStyle: { color: c.text }, formatter: points => [`${letter} = ${number(points[0].value[0])}`,
        ...points.map(point => `${point.seriesName}: ${time(point.value[1])}`)].join("\n") },
    series: runs.length ? [...lines, now, measured] : [...lines, now],
  }, [key, ...metrics], curve.x.map((x, i) => [x, ...metrics.map(name => curve[name][i])]));
}

function edges(values) {
  const middle = values.slice(1).map((v, i) => Math.sqrt(v * values[i]));
  return [values[0] ** 1.5 / Math.sqrt(values[1] ?? 2), ...middle, values.at(-1)];
}

function drawMap() {
  const map = answer.map, c = palette(), { workers, shards } = answer.settings;
  if (map === null) return put("map", "", null);
  const x = edges(map.workers), y = edges(map.shards), rows = [];
  x[0] = y[0] = 1;
  const cells = map.names.map(() => []);
  map.cells.forEach((which, i) => {
    const column = i % map.workers.length, row = Math.floor(i / map.workers.length);
    cells[which].push([x[column], y[row], x[column + 1], y[row + 1], map.workers[column], map.shards[row]]);
    rows.push([map.workers[column], map.shards[row], map.names[which]]);
  });
  const regions = map.names.map((name, i) => ({
    name, type: "custom", itemStyle: { color: FILLS[i % FILLS.length], decal: HATCHES[i % HATCHES.length] },
    encode: { x: [0, 2], y: [1, 3] }, data: cells[i],
    renderItem: (_, api) => {
      const [left, bottom] = api.coord([api.value(0), api.value(1)]), [right, top] = api.coord([api.value(2), api.value(3)]);
      return { type: "rect", shape: { x: left, y: top, width: right - left + 0.5, height: bottom - top + 0.5 },
        style: { ...api.style(), decal: HATCHES[i % HATCHES.length] } };
    },
  }));
  const now = { name: "now", type: "scatter", symbolSize: 14, z: 5, data: [[workers.value, shards.value]],
    itemStyle: { color: "#fff", borderColor: "#000", borderWidth: 2.5 } };
  put("map", `Which resource binds at each number of workers and shards: ${map.names.join(", ")}; ` +
    `now ${answer.prediction.bottleneck}.`, {
    xAxis: { type: "log", name: "workers N", nameGap: 24, min: 1, max: x.at(-1), axisLabel: { formatter: number } },
    yAxis: { type: "log", name: "shards K", nameGap: 44, min: 1, max: Math.max(y.at(-1), 2), axisLabel: { formatter: number } },
    tooltip: { renderMode: "richText", confine: true, backgroundColor: c.card, borderColor: c.quiet, textStyle: { color: c.text },
      formatter: ({ seriesName, value }) => seriesName === "now" ? `now: N = ${value[0]}, K = ${value[1]}`
        : `N = ${value[4]}, K = ${value[5]}: ${seriesName} binds` },
    series: [...regions, now],
  }, ["workers", "shards", "bottleneck"], rows);
}

function drawFront() {
  const { rows, here, currency } = answer.front, c = palette();
  const point = row => ({ value: [row.cost_per_hour, row.iteration_time_s], row });
  const possible = rows.filter(row => row.iteration_time_s > 0 && row.cost_per_hour > 0);
  if (possible.length === 0) return put("front", "", null);
  const costs = [...possible.map(row => row.cost_per_hour), here.cost_per_hour].filter(cost => cost > 0);
  const base = Math.max(...costs) > 100 * Math.min(...costs) ? 10 : 2;  // some ticks even within one decade
  const named = row => `${row.machine}, K = ${row.shards}\n${time(row.iteration_time_s)} per iteration\n` +
    `${money(row.cost_per_hour)} ${currency}/h\n${money(row.cost_per_1000_iterations)} ${currency} per 1000 iterations`;
  put("front", `Cost against iteration time, from ${money(possible[0].cost_per_hour)} ${currency} per hour at ` +
    `${time(possible[0].iteration_time_s)} to ${money(possible.at(-1).cost_per_hour)} at ${time(possible.at(-1).iteration_time_s)}.`, {
    xAxis: { type: "log", name: `${currency} per hour, all machines`, nameGap: 24,
      logBase: base, axisLabel: { formatter: number },
      min: ({ min }) => base ** Math.floor(Math.log(min) / Math.log(base)), max: ({ max }) => base ** Math.ceil(Math.log(max) / Math.log(base)) },
    yAxis: { type: "log", axisLabel: { formatter: time } },
    tooltip: { renderMode: "richText", confine: true, backgroundColor: c.card, borderColor: c.quiet, textStyle: { color: c.text },
      formatter: ({ data, seriesName }) => (seriesName === "now" ? "now: " : "") + named(data.row) },
    series: [
      { name: "nothing is cheaper and faster", type: "line", step: "end", symbol: "circle", symbolSize: 6, color: c.first,
        lineStyle: { width: 2 }, data: possible.map(point) },
      { name: "now", type: "scatter", symbolSize: 13, z: 4, color: c.text,
        itemStyle: { color: c.card, borderColor: c.text, borderWidth: 2.5 }, data: here && here.iteration_time_s > 0 ? [point(here)] : [] },
    ],
  }, ["machine", "shards", "cost_per_hour", "iteration_time_s", "cost_per_1000_iterations"],
  rows.map(row => [row.machine, row.shards, row.cost_per_hour, row.iteration_time_s, row.cost_per_1000_iterations]));
}

const PHASES = { pull: BLUE, compute: GREEN, push: VERMILION, wait: GREY, update: PURPLE };

function drawTimeline(timeline) {
  const c = palette(), names = timeline.rows.map(r => r.row), rows = [];
  timeline.rows.forEach(({ row, bars }, i) => bars.forEach(b => rows.push([row, b.name, b.start_s, b.end_s, i])));
  const kinds = Object.keys(PHASES).filter(kind => rows.some(row => row[1] === kind));
  $("timeline").hidden = false;
  $("timeline").querySelector(".chart").style.height = `${names.length * 22 + 90}px`;
  put("timeline", `One simulated iteration of ${time(timeline.length_s)}: ${names.length} rows of workers and shards.`, {
    xAxis: { type: "value", name: "since the iteration began", nameGap: 24, min: 0, max: timeline.length_s, axisLabel: { formatter: time } },
    yAxis: { type: "category", data: names, inverse: true, splitLine: { show: false }, axisLabel: { interval: 0 } },
    tooltip: { renderMode: "richText", confine: true, backgroundColor: c.card, borderColor: c.quiet, textStyle: { color: c.text },
      formatter: ({ seriesName, value }) => `${names[value[0]]}: ${seriesName}\n${time(value[1])} to ${time(value[2])}` },
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
}

function draw() {
  drawCurve("shards", "K");
  drawCurve("workers", "N");
  drawMap();
  drawFront();
  charts.front.figure.querySelector("small").textContent = `Any machine type and K. Prices: ${answer.front.prices}.`;
}

// ---- simulation ----

let source = null, simulated = null;

function forgetSimulation() {
  source?.close();
  source = simulated = null;
  $("simulated").textContent = "";
  $("progress").hidden = $("timeline").hidden = true;
  $("simulate").textContent = "Simulate";
}

function simulate() {
  if (source) return forgetSimulation();
  forgetSimulation();
  const asked = new URLSearchParams(query());
  asked.set("replications", $("replications").value);
  source = new EventSource(`api/simulate?${asked}`);
  $("simulate").textContent = "Stop";
  $("progress").hidden = false;
  $("progress").removeAttribute("value");
  source.addEventListener("progress", event => {
    const [done, of] = JSON.parse(event.data);
    if (done > 0) $("progress").value = done / of;
  });
  source.addEventListener("result", event => {
    forgetSimulation();
    simulated = JSON.parse(event.data);
    showSimulation();
  });
  source.addEventListener("problem", event => {
    forgetSimulation();
    $("simulated").textContent = JSON.parse(event.data);
  });
  source.onerror = () => {
    forgetSimulation();
    $("simulated").textContent = "The simulation was refused or cut off; see the sentence at the top, or try again.";
  };
}

function showSimulation() {
  const { prediction: p, timeline } = simulated, half = p.half_widths.iteration_time_s;
  const formula = p.iteration_time_s / answer.prediction.iteration_time_s;
  $("simulated").textContent = `Simulated: ${time(p.iteration_time_s)}${half ? ` ± ${time(half)} (95 %)` : ""} per iteration, ` +
    `${number(p.updates_per_s)} updates/s, ingress ${time(p.ingress_time_s)}; ${p.bottleneck} is busiest` +
    `${Number.isFinite(formula) ? `; ${percent(formula)} against the closed form` : ""}` +
    `${half ? "" : ". Nothing in it is random, so that it needs no interval"}. ` +
    (timeline ? "" : "Too many messages to draw a timeline.");
  if (!timeline) return;
  charts.timeline.figure.querySelector("small").textContent = "Hosts to which the very same happens are one row." +
    (timeline.hidden ? ` ${timeline.hidden} rows more are not drawn.` : "");
  drawTimeline(timeline);
}

// ---- taking it along ----

function toCsv(name) {
  const cell = value => /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : value;
  return [charts[name].columns, ...charts[name].rows].map(row => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function toSvg(name) {
  const { chart, option } = charts[name];
  const copy = echarts.init(null, null, { renderer: "svg", ssr: true, width: chart.getWidth(), height: chart.getHeight() });
  copy.setOption({ ...option, backgroundColor: palette().card });
  const text = copy.renderToSVGString();
  copy.dispose();
  return text;
}

function save(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    $("copied").textContent = `${what} copied.`;
  } catch {
    $("copied").textContent = "The browser does not let this page copy; select the text instead.";
  }
}

// ---- start ----

async function start() {
  scenarios = await (await fetch("api/scenarios")).json();
  for (const measured of [false, true]) {
    const group = document.createElement("optgroup");
    group.label = measured ? "measured" : "built in";
    group.append(...scenarios.filter(s => s.measured === measured).map(s => new Option(s.name)));
    if (group.children.length) $("scenario").append(group);
  }
  makeSliders();
  figure("shards", "Iteration time against shards", "");
  figure("workers", "Iteration time against workers", "");
  figure("map", "What binds", "At each number of workers and shards.");
  figure("front", "Cost against time", "");
  figure("timeline", "One simulated iteration", "", $("timeline"));
  state = Object.fromEntries(new URLSearchParams(location.search));
  state.scenario ??= scenarios[0].name;
  if (state.replications) $("replications").value = state.replications;
  $("scenario").value = state.scenario;
  $("scenario").addEventListener("change", () => { state = { scenario: $("scenario").value }; ask(); });
  $("reset").addEventListener("click", () => { state = { scenario: $("scenario").value }; ask(); });
  for (const key of ["mode", ...FIELDS]) $(key).addEventListener("change", () => change(key, $(key).value));
  $("replications").addEventListener("change", () => change("replications", $("replications").value));
  $("controls").addEventListener("submit", event => event.preventDefault());
  $("simulate").addEventListener("click", simulate);
  $("copy-command").addEventListener("click", () => copy(answer.command, "Command"));
  $("copy-link").addEventListener("click", () => copy(location.href, "Link"));
  const redraw = () => { if (answer) { draw(); if (simulated?.timeline) drawTimeline(simulated.timeline); } };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("resize", redraw);
  await ask();
}

start();
