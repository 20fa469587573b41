// Iteration time against shards and workers, what binds where, cost against time.
import { instead, logAxis, note, pointedAt, put, wish } from "./charts.js";
import { answer, charts, pinned, pinnedCharts } from "./state.js";
import { FILLS, HATCHES, money, number, palette, time } from "./units.js";

const WORDS = { iteration_time_s: "iteration", ingress_time_s: "ingress" };
const within = t => t > 0 && t <= answer.wanted.target_s * (1 + 1e-9);

const DRAW = { shards: () => drawCurve("shards", "K"), workers: () => drawCurve("workers", "N"), map: drawMap, front: drawFront };
export const draw = name => charts[name] === null ? instead(name, answer.left_out[name]) : DRAW[name]();

// Where a curve meets the target: "from 16 on", "up to 8".
function meets(curve, key) {
  const t = answer.wanted.target_s;
  const good = curve.x.filter((_, i) => within(curve.iteration_time_s[i]));
  if (good.length === 0) return `No number of ${key} up to ${number(curve.x.at(-1))} alone meets ${time(t)}.`;
  if (good.length === curve.x.length) return `Every number of ${key} shown meets ${time(t)}.`;
  return `${time(t)} is met at ${good.length === 1 ? number(good[0]) : `${number(good[0])} to ${number(good.at(-1))}`} ${key} (of the numbers drawn).`;
}

function drawCurve(key, letter) {
  const curve = charts[key], c = palette(), here = answer.settings[key].value, target = answer.wanted.target_s;
  const metrics = Object.keys(WORDS).filter(name => curve[name]);
  const points = (from, name) => from.x.map((x, j) => [x, from[name][j]]).filter(([, y]) => y > 0);
  const lines = metrics.map((name, i) => ({
    name: WORDS[name], type: "line", symbol: "none", color: i ? c.second : c.first,
    lineStyle: { width: 2.5, type: i ? "dashed" : "solid" }, data: points(curve, name),
  }));
  if (target !== null) {
    lines[0].markLine = wish("yAxis", target, `≤ ${time(target)}`);
    lines.push({ name: "meets it", type: "scatter", symbol: "circle", symbolSize: 7, color: c.good, z: 3,
      data: points(curve, "iteration_time_s").filter(([, y]) => within(y)) });
  }
  const before = pinnedCharts[key];
  if (before) lines.push({ name: "pinned", type: "line", symbol: "none", color: c.quiet, lineStyle: { width: 2, type: "dotted" },
    data: points(before, "iteration_time_s").filter(([x]) => x <= curve.x.at(-1)) });
  const now = { name: "now", type: "scatter", symbol: "circle", symbolSize: 13, z: 4,
    itemStyle: { color: c.card, borderColor: c.text, borderWidth: 2.5 },
    data: [[here, answer.prediction.iteration_time_s]].filter(([, y]) => y > 0) };
  const runs = answer.runs.filter(run => run.varies.every(name => name === key));
  const measured = { name: "measured", type: "scatter", symbol: "diamond", symbolSize: 10, color: c.measured, z: 5,
    data: runs.map(run => ({ value: [run[key], run.iteration_time_s],
      itemStyle: run.suspect ? { color: "transparent", borderColor: c.measured, borderWidth: 1.5 } : {} })) };
  const first = metrics[0];
  const description = `Iteration time against ${key}: ${time(curve[first][0])} at ${letter} = 1, ` +
    `${time(answer.prediction.iteration_time_s)} at ${here}, ${time(curve[first].at(-1))} at ${curve.x.at(-1)}.`;
  put(key, description, {
    xAxis: { ...logAxis([1, curve.x.at(-1)], number), max: curve.x.at(-1), name: `${key} ${letter}`, nameGap: 24 },
    yAxis: { type: "log", axisLabel: { formatter: time } },
    tooltip: { trigger: "axis", formatter: found => [`${letter} = ${number(found[0].value[0])}`,
      ...found.map(point => `${point.seriesName}: ${time(point.value[1])}`)].join("\n") },
    series: runs.length ? [...lines, now, measured] : [...lines, now],
  }, [key, ...metrics], curve.x.map((x, i) => [x, ...metrics.map(name => curve[name][i])]));
  note(key, target === null ? "" : meets(curve, key));
}

function edges(values) {
  const middle = values.slice(1).map((v, i) => Math.sqrt(v * values[i]));
  return [values[0] ** 1.5 / Math.sqrt(values[1] ?? 2), ...middle, values.at(-1)];
}

function drawMap() {
  const map = charts.map, c = palette(), { workers, shards } = answer.settings, target = answer.wanted.target_s;
  const x = edges(map.workers), y = edges(map.shards), rows = [];
  x[0] = y[0] = 1;
  const runs = map.names.map(() => []), slow = [];
  let good = 0;
  map.cells.forEach((which, i) => {
    const column = i % map.workers.length, row = Math.floor(i / map.workers.length), t = map.iteration_time_s[i];
    // Neighbours of one kind are one box.
    if (column > 0 && map.cells[i - 1] === which) runs[which].at(-1)[2] = x[column + 1];
    else runs[which].push([x[column], y[row], x[column + 1], y[row + 1]]);
    rows.push([map.workers[column], map.shards[row], map.names[which], t]);
    if (target === null) return;
    if (within(t)) good += 1;
    else if (column > 0 && slow.at(-1)?.[2] === x[column] && slow.at(-1)[1] === y[row]) slow.at(-1)[2] = x[column + 1];
    else slow.push([x[column], y[row], x[column + 1], y[row + 1]]);
  });
  const whole = [[x[0], y[0], x.at(-1), y.at(-1)]];
  // One path for all of an area's boxes: each shape has its hatching made anew, which takes longer than all the rest.
  const area = (boxes, style) => (_, api) => {
    const path = boxes.map(([x0, y0, x1, y1]) => {
      const [left, bottom] = api.coord([x0, y0]), [right, top] = api.coord([x1, y1]);
      return `M${left} ${top}H${right + 0.5}V${bottom + 0.5}H${left}Z`;
    });
    return { type: "path", shape: { pathData: path.join("") }, style: style(api) };
  };
  const regions = map.names.map((name, i) => ({
    name, type: "custom", silent: true, itemStyle: { color: FILLS[i % FILLS.length], decal: HATCHES[i % HATCHES.length] },
    encode: { x: [0, 2], y: [1, 3] }, data: whole,
    renderItem: area(runs[i], api => ({ ...api.style(), decal: HATCHES[i % HATCHES.length] })),
  }));
  // One area for the pointer: one for every cell takes longer to draw than all the rest.
  const ground = { name: "at the pointer", type: "custom", encode: { x: [0, 2], y: [1, 3] }, z: 3, emphasis: { disabled: true },
    data: whole, renderItem: area(whole, () => ({ fill: "transparent" })) };
  const cell = () => {
    const [column, row] = pointedAt("map").map((at, i) => Math.max(0, [x, y][i].findLastIndex(edge => edge <= at)));
    return rows[Math.min(row, map.shards.length - 1) * map.workers.length + Math.min(column, map.workers.length - 1)];
  };
  const told = ([n, k, name, t]) => `N = ${n}, K = ${k}: ${name} binds, ${time(t)}`;
  const missing = { name: "too slow", type: "custom", silent: true, z: 2, itemStyle: { color: c.card, borderColor: c.quiet, borderWidth: 1 },
    encode: { x: [0, 2], y: [1, 3] }, data: whole, renderItem: area(slow, () => ({ fill: c.card, opacity: 0.72 })) };
  const now = { name: "now", type: "scatter", symbolSize: 14, z: 5, data: [[workers.value, shards.value]],
    itemStyle: { color: "#fff", borderColor: "#000", borderWidth: 2.5 } };
  const axis = last => ({ ...logAxis([1, last], number), min: 1, max: last });
  put("map", `Which resource binds at each number of workers and shards: ${map.names.join(", ")}; ` +
    `now ${answer.prediction.bottleneck}.`, {
    xAxis: { ...axis(x.at(-1)), name: "workers N", nameGap: 24 },
    yAxis: { ...axis(Math.max(y.at(-1), 2)), name: "shards K", nameGap: 44 },
    legend: { data: [...map.names, ...(slow.length ? [missing.name] : []), now.name] },
    tooltip: { formatter: ({ seriesName, value }) => seriesName === "now" ? `now: N = ${value[0]}, K = ${value[1]}`
      : told(cell()) },
    series: [...regions, ...(slow.length ? [missing] : []), ground, now],
  }, ["workers", "shards", "bottleneck", "iteration_time_s"], rows);
  note("map", target === null ? "At each number of workers and shards."
    : `Pale where an iteration takes more than ${time(target)}: ${map.cells.length - good} of ${map.cells.length}.`);
}

function drawFront() {
  const { rows, currency, prices } = charts.front, { here } = answer, c = palette(), { target_s: target, budget } = answer.wanted;
  const point = row => ({ value: [row.cost_per_hour, row.iteration_time_s], row });
  const possible = rows.filter(row => row.iteration_time_s > 0 && row.cost_per_hour > 0);
  if (possible.length === 0) return instead("front", "An iteration takes no time or costs nothing, so that there is nothing to weigh.");
  const shown = here && here.iteration_time_s > 0 ? [here] : [], before = pinned?.here ?? null;
  const past = before && before.iteration_time_s > 0 ? [before] : [];
  const costs = [...possible, ...shown, ...past].map(row => row.cost_per_hour).filter(cost => cost > 0);
  const good = possible.filter(row => (target === null || within(row.iteration_time_s)) && (budget === null || row.cost_per_hour <= budget));
  const named = row => `${row.machine}, K = ${row.shards}\n${time(row.iteration_time_s)} per iteration\n` +
    `${money(row.cost_per_hour)} ${currency}/h\n${money(row.cost_per_1000_iterations)} ${currency} per 1000 iterations`;
  const line = { name: "best offers", type: "line", step: "end", symbol: "circle", symbolSize: 6, color: c.first,
    lineStyle: { width: 2 }, data: possible.map(point) };
  const wishes = [target !== null && wish("yAxis", target, `≤ ${time(target)}`), budget !== null && wish("xAxis", budget, `≤ ${money(budget)}`)].filter(Boolean);
  const ranged = budget !== null ? [...costs, budget] : costs;
  put("front", `Cost against iteration time, from ${money(possible[0].cost_per_hour)} ${currency} per hour at ` +
    `${time(possible[0].iteration_time_s)} to ${money(possible.at(-1).cost_per_hour)} at ${time(possible.at(-1).iteration_time_s)}.`, {
    xAxis: { ...logAxis(ranged, number), name: `${currency} per hour, all machines`, nameGap: 24 },
    yAxis: { type: "log", axisLabel: { formatter: time } },
    tooltip: { formatter: ({ data, seriesName }) => (seriesName === "now" || seriesName === "pinned" ? `${seriesName}: ` : "") + named(data.row) },
    series: [
      wishes.length ? { ...line, markLine: { ...wishes[0], data: wishes.flatMap(w => w.data.map(d => ({ ...d, label: w.label }))) } } : line,
      ...(wishes.length ? [{ name: "meets it", type: "scatter", symbolSize: 9, z: 3, color: c.good, data: good.map(point) }] : []),
      ...(past.length ? [{ name: "pinned", type: "scatter", symbol: "rect", symbolSize: 11, z: 4, itemStyle: { color: c.card, borderColor: c.quiet, borderWidth: 2.5 }, data: past.map(point) }] : []),
      { name: "now", type: "scatter", symbolSize: 13, z: 4,
        itemStyle: { color: c.card, borderColor: c.text, borderWidth: 2.5 }, data: shown.map(point) },
    ],
  }, ["machine", "shards", "cost_per_hour", "iteration_time_s", "cost_per_1000_iterations"],
  rows.map(row => [row.machine, row.shards, row.cost_per_hour, row.iteration_time_s, row.cost_per_1000_iterations]));
  const cheapest = good.toSorted((a, b) => a.cost_per_hour - b.cost_per_hour)[0];
  const found = wishes.length === 0 ? "" : cheapest ? `The cheapest that meets it: ${cheapest.machine}, K = ${cheapest.shards}, ` +
    `${time(cheapest.iteration_time_s)}, ${money(cheapest.cost_per_hour)} ${currency}/h. ` : "No machine type and K meets it. ";
  note("front", `${found}Best offers: ${answer.left_out.shards ? "of any machine type" : "of any machine type and K"}, none is both cheaper and faster. Prices: ${prices}.`);
}
