// Quantities as people write them (as psmodel.units does), and colours.

function scaled(value, steps) {
  const [factor, unit] = steps.find(([f]) => value >= f * 0.9995) ?? steps.at(-1);
  return `${parseFloat((value / factor).toPrecision(4))} ${unit}`;
}
export const time = s => s === null || s === undefined ? "–" : s === 0 ? "0 s" : s > 0 && s < 0.9995e-12 ? "< 0.001 ns"
  : scaled(s, [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]]);
export const size = b => scaled(b, [[1e15, "PB"], [1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]]);
export const rate = b => scaled(b * 8, [[1e12, "Tbit/s"], [1e9, "Gbit/s"], [1e6, "Mbit/s"], [1e3, "kbit/s"], [1, "bit/s"]]);
export const number = x => x === null || x === undefined ? "–" : String(parseFloat(x.toPrecision(4)));
export const money = x => x.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
export function percent(ratio) {
  const digits = Math.abs(100 * (ratio - 1)).toFixed(1);
  return digits === "0.0" ? "0.0 %" : `${ratio < 1 ? "−" : "+"}${digits} %`;
}

const style = getComputedStyle(document.documentElement);
const read = name => style.getPropertyValue(`--${name}`).trim();

// The colours are those of psmodel.plotting.palette (palette.css). What colour says, a dash, a symbol or a hatch says too.
export const FILLS = ["blue", "orange", "green", "purple", "sky", "yellow", "grey"].map(read);
export const PHASES = Object.fromEntries(["pull", "compute", "push", "wait", "update"].map(phase => [phase, read(`phase-${phase}`)]));
export const HATCHES = [
  { symbol: "none" }, { rotation: -Math.PI / 4, dashArrayX: [1, 0], dashArrayY: [2, 6] },
  { symbol: "circle", symbolSize: 0.5 }, { rotation: Math.PI / 4, dashArrayX: [1, 0], dashArrayY: [3, 5] },
  { dashArrayX: [1, 0], dashArrayY: [2, 5] }, { rotation: Math.PI / 2, dashArrayX: [1, 0], dashArrayY: [2, 5] },
  { symbol: "rect", symbolSize: 0.6 },
].map(hatch => ({ color: "rgba(0,0,0,.38)", ...hatch }));

const darkly = matchMedia("(prefers-color-scheme: dark)");

export function palette() {
  return Object.fromEntries(["text", "quiet", "grid", "card", "good", "first", "second", "measured"].map(name => [name, read(name)]));
}

export function onThemeOrSize(redraw) {
  darkly.addEventListener("change", redraw);
  addEventListener("resize", redraw);
}
