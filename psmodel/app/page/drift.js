// Where times have stepped for good: a sentence each, and the course of each scenario that has.
import { figure, put } from "./charts.js";
import { $, make } from "./dom.js";
import { palette, time } from "./units.js";

const MOST = 12;  // charts
let drift = null;

function sentence() {
  const { series, short, least, courses } = drift;
  const few = short ? ` ${short} have fewer than the ${least} runs that this takes.` : "";
  if (series === 0) return `No series has the ${least} runs that it takes to tell a step from noise.`;
  const steps = courses.reduce((sum, course) => sum + course.steps.length, 0);
  return `${steps === 0 ? "No step" : steps === 1 ? "One step" : `${steps} steps`} in ${series} series of one phase of one scenario each.${few}` +
    (courses.length > MOST ? ` The first ${MOST} are drawn.` : "");
}

function average(course, from, to) {
  const logs = course.times_s.slice(from, to).map(Math.log);
  return Math.exp(logs.reduce((sum, x) => sum + x, 0) / logs.length);
}

function draw(course, number) {
  const c = palette(), edges = [0, ...course.steps.map(([index]) => index), course.times_s.length];
  const levels = edges.slice(1).flatMap((end, i) => {
    const level = average(course, edges[i], end);
    return [[edges[i] + 0.5, level], [end + 0.5, level], [null, null]];
  });
  put(`course-${number}`, `${course.name}: ${course.steps.map(([, text]) => text).join("; ")}`, {
    xAxis: { type: "value", name: "run, in order", nameGap: 24, min: 0.5, max: course.times_s.length + 0.5, minInterval: 1, axisLabel: { showMinLabel: false, showMaxLabel: false } },
    yAxis: { type: "value", scale: true, axisLabel: { formatter: time } },
    tooltip: { formatter: ({ data }) => `${course.labels[data[0] - 1]}\n${time(data[1])}` },
    series: [
      { name: "measured", type: "scatter", symbol: "diamond", symbolSize: 9, color: c.measured, data: course.times_s.map((t, i) => [i + 1, t]) },
      { name: "level", type: "line", symbol: "none", silent: true, color: c.text, lineStyle: { width: 2 }, data: levels },
    ],
  }, ["run", "label", "time_s"], course.times_s.map((t, i) => [i + 1, course.labels[i], t]));
}

export function drawCourses() {
  drift?.courses.slice(0, MOST).forEach(draw);
}

export async function showDrift() {
  drift = await (await fetch("api/drift")).json();
  $("drift").hidden = drift === null;
  $("courses").replaceChildren();
  if (drift === null) return;
  $("drift-said").textContent = sentence();
  $("drift-steps").replaceChildren(...drift.courses.flatMap(course => course.steps.map(([, text]) => make("li", {}, text))));
  drift.courses.slice(0, MOST).forEach((course, i) => {
    const holder = make("figure", { class: "card" });
    $("courses").append(holder);
    figure(`course-${i}`, course.name, { holder });
  });
  drawCourses();
}
