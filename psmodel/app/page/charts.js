// What all charts share: a figure with its downloads, axes, colours, the wish to be met.
import { $, make, save } from "./dom.js";
import { palette } from "./units.js";

const charts = {};  // name → {figure, chart, option, columns, rows}

export function figure(name, title, { holder = null } = {}) {
  const made = holder ?? make("figure", { class: "card" });
  const svg = make("button", { type: "button", "aria-label": `${title}: download as SVG` }, "SVG");
  const csv = make("button", { type: "button", "aria-label": `${title}: download data as CSV` }, "CSV");
  made.append(make("figcaption", {}, make("strong", {}, title), make("span", { hidden: true }, svg, " ", csv), make("small")),
    make("div", { class: "chart", role: "img", "aria-label": title }), make("p", { class: "instead", hidden: true }));
  svg.addEventListener("click", () => save(`psmodel-${name}.svg`, toSvg(name), "image/svg+xml"));
  csv.addEventListener("click", () => save(`psmodel-${name}.csv`, toCsv(name), "text/csv"));
  if (!holder) $("charts").append(made);
  charts[name]?.chart.dispose();
  const entry = charts[name] = { figure: made, chart: echarts.init(made.querySelector(".chart")) };
  entry.chart.getZr().on("mousemove", ({ offsetX, offsetY }) => { entry.pointer = [offsetX, offsetY]; });
}

// Where the pointer was last, in the values of the axes.
export const pointedAt = name => charts[name].chart.convertFromPixel("grid", charts[name].pointer);

export const note = (name, text) => { charts[name].figure.querySelector("small").textContent = text; };

// A sentence in the chart's place.
export function instead(name, text) {
  const { figure: holder } = charts[name];
  holder.querySelector(".chart").hidden = true;
  holder.querySelector("figcaption span").hidden = true;
  holder.querySelector("small").textContent = "";
  const why = holder.querySelector(".instead");
  why.hidden = false;
  why.textContent = text;
}

const pen = document.createElement("canvas").getContext("2d");
pen.font = "12px system-ui, sans-serif";

// Lines that a legend of these names takes in a chart so wide.
function legendLines(names, width) {
  let lines = 1, x = 0;
  for (const name of names) {
    const needs = pen.measureText(name).width + 24 + 5 + 8;
    if (x > 0 && x + needs > width - 10) [lines, x] = [lines + 1, 0];
    x += needs;
  }
  return lines;
}

// Only where the size is another one: a canvas is made anew.
function fit({ figure: holder, chart }) {
  const { clientWidth: width, clientHeight: height } = holder.querySelector(".chart");
  if (width !== chart.getWidth() || height !== chart.getHeight()) chart.resize();
}

export function put(name, description, option, columns, rows) {
  const c = palette(), entry = charts[name];
  entry.figure.querySelector(".instead").hidden = true;
  entry.figure.querySelector("figcaption span").hidden = false;
  entry.figure.querySelector(".chart").hidden = false;
  const axis = given => ({
    nameLocation: "middle", nameTextStyle: { color: c.quiet }, axisLabel: { color: c.quiet, hideOverlap: true, ...given.axisLabel },
    axisLine: { show: true, lineStyle: { color: c.quiet } }, splitLine: { lineStyle: { color: c.grid }, ...given.splitLine },
    minorTick: { show: false },
    ...Object.fromEntries(Object.entries(given).filter(([key]) => key !== "axisLabel" && key !== "splitLine")),
  });
  fit(entry);
  const names = option.legend?.data ?? option.series.map(series => series.name);
  const whole = {
    animation: false, textStyle: { fontFamily: "system-ui, sans-serif", color: c.text },
    backgroundColor: "transparent", aria: { enabled: true, label: { description } },
    grid: { left: 8, right: 24, top: 16 + 22 * legendLines(names, entry.chart.getWidth()), bottom: 6, outerBoundsMode: "same", outerBoundsContain: "all" },
    ...option,
    legend: { top: 0, left: 0, textStyle: { color: c.text }, itemWidth: 24, itemGap: 8, itemHeight: 12, ...option.legend },
    tooltip: { renderMode: "richText", confine: true, backgroundColor: c.card, borderColor: c.quiet, textStyle: { color: c.text }, ...option.tooltip },
    xAxis: axis(option.xAxis), yAxis: axis(option.yAxis),
  };
  Object.assign(entry, { option: whole, columns, rows });
  entry.chart.setOption(whole, true);
}

// A logarithmic axis over the values, its ticks at 1, 2 and 5 of each decade (at 1 alone where there are many decades).
export function logAxis(values, format) {
  const low = Math.min(...values), high = Math.max(...values);
  const decades = Math.log10(high / low);
  const steps = decades > 3.5 ? [1] : decades > 2.7 ? [1, 3] : [1, 2, 5];
  const near = decades < 0.3 ? [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9] : steps;
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)); power++)
    for (const step of near) ticks.push(parseFloat((step * 10 ** power).toPrecision(6)));
  const min = ticks.findLast(tick => tick <= low * 1.0001) ?? low, max = ticks.find(tick => tick >= high * 0.9999) ?? high;
  const customValues = ticks.filter(tick => tick >= min && tick <= Math.max(max, min * 1.0001));
  const [from, to] = min < max ? [min, max] : [min / 2, max * 2];
  return { type: "log", min: from, max: to, axisLabel: { formatter: format, customValues }, axisTick: { customValues }, splitLine: { customValues } };
}

// A line at what is wished for, to be laid over a line series.
export function wish(axis, value, label) {
  const c = palette();
  return { silent: true, symbol: "none", data: [{ [axis]: value }], lineStyle: { color: c.good, width: 2, type: "dashed" },
    label: { formatter: label, color: c.text, position: axis === "yAxis" ? "insideEndTop" : "end" } };
}

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
