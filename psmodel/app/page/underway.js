// The suites that are being run, asked for again and again while somebody looks.
import { $, make } from "./dom.js";
import { time } from "./units.js";

const AGAIN_MS = 2000;
let state = null, told = "";

const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
const minutes = s => s < 100 ? `${Math.max(1, Math.round(s))} s` : `${Math.round(s / 60)} min`;

function row(suite) {
  const bar = make("progress", { max: suite.planned || 1, value: suite.stored, "aria-label": `Runs of suite ${suite.suite}` });
  const title = make("span", { class: "title" }, make("b", {}, suite.suite), ` on ${suite.testbed}`);
  const bad = [suite.suspect && `${suite.suspect} suspect`, suite.failed && `${suite.failed} failed`].filter(Boolean).join(", ");
  const count = `${suite.stored} of ${counted(suite.planned, "run")}${bad ? ` (${bad})` : ""}`;
  const now = suite.running
    ? make("span", {}, `${count}. `, ...(suite.scenario ? ["Now ", make("b", {}, suite.scenario), `, for ${time(Math.round(suite.for_s))}. `] : []),
      suite.left_s === null ? "" : `About ${minutes(suite.left_s)} left.`)
    : make("span", {}, `Stopped: ${count}. To go on: `, make("code", {}, suite.resume));
  return make("div", { class: "suite" }, title, bar, now);
}

// Whoever listens hears of each run that has come, not of each second.
function say(suites) {
  const text = suites.map(s => `${s.suite} ${s.running ? "is being run" : "was stopped"}: ${s.stored} of ${counted(s.planned, "run")}.`).join(" ");
  if (text !== told) $("underway-said").textContent = told = text;
}

async function look(onChange) {
  try {
    const answer = await (await fetch("api/progress")).json();
    $("underway").hidden = answer.suites.length === 0;
    $("suites-underway").replaceChildren(...answer.suites.map(row));
    say(answer.suites);
    if (state !== null && answer.state !== state) await onChange();
    state = answer.state;
  } catch {
    $("underway").hidden = true;  // psmodel has ended
  }
}

export async function watch(onChange) {
  await look(onChange);
  setInterval(() => document.visibilityState === "visible" && look(onChange), AGAIN_MS);
}
