// The state is what differs from the scenario's own values, as people write it. The address bar holds it, the server
// computes every number (api/shown), and all other modules only show the last answer.
import { complain } from "./dom.js";

export let state = Object.fromEntries(new URLSearchParams(location.search));  // key → text
export let answer = null;
export let intervals = null;  // metric → [low, high] of that answer, after its charts; null until then
export let charts = {};       // the curves, map and prices of that answer, which come after it, one by one
export let pinned = null;     // the answer of the pinned scenario
export let pinnedCharts = {};
let pinnedQuery = null;
let pinnedDrawn = null;  // settled when `pinnedCharts` are whole
let asking = null;
let noted = null;
const listeners = { asked: [], answered: [], charted: [], drawn: [], ranged: [] };

// "asked": the state has changed; "answered": there is a new answer; "charted": and one of its charts; "drawn": all of
// them; "ranged": and the intervals.
export const on = (event, listener) => listeners[event].push(listener);
const tell = (event, ...about) => listeners[event].forEach(listener => listener(...about));

export function query({ only = state } = {}) {
  return new URLSearchParams(Object.entries(only).filter(([key]) => key !== "pin")).toString();
}

export const address = () => `${location.pathname}?${new URLSearchParams(state)}`;

// Soon, not at once: browsers refuse an address bar that changes with each step of a slider.
function noteAddress() {
  clearTimeout(noted);
  noted = setTimeout(() => history.replaceState(null, "", address()), 150);
}

// Several keys at once; an empty text goes back to the scenario's own value.
export function change(changes) {
  for (const [key, text] of Object.entries(changes))
    if (text === "" || text === null) delete state[key];
    else state[key] = String(text);
  if ("mode" in changes) {
    delete state.staleness_bound;
    if (changes.mode === "ssp") state.staleness_bound = "3";
  }
  if ("model_size" in changes) delete state.elements;
  if ("elements" in changes) delete state.model_size;
  if ("compute" in changes && /^\{/.test(changes.compute)) delete state.compute_cv;
  if ("compute_cv" in changes && /^\{/.test(state.compute ?? "")) delete state.compute;
  return ask();
}

export function choose(start) {
  const { pin, target, budget } = state;
  state = Object.fromEntries(Object.entries({ ...start, pin, target, budget }).filter(([, value]) => value));
  return ask();
}

export function pin(on) {
  if (on) state.pin = query();
  else delete state.pin;
  return ask();
}

// The first answer is asked for before the page is made, for the two take about as long.
export const first = fetch(`api/shown?${query()}`);
first.catch(() => {});  // told by `ask`, which waits for it

function check(response) {
  if (!(response.headers.get("content-type") ?? "").includes("json"))
    throw new Error(response.status === 400 || response.status === 414 ? "long" : "other");
}

// The answer, then its charts, each a line as soon as the server has it; a refusal is the only line.
async function* lines(begun) {
  const response = await begun;
  check(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const whole = (rest + part.value).split("\n");
    rest = whole.pop();
    for (const line of whole) yield JSON.parse(line);
  }
  if (rest) yield JSON.parse(rest);
}

const shown = (asked, signal) => lines(fetch(`api/shown?${asked}`, { signal }));

// The pinned scenario's answer; its charts follow while the page goes on.
async function fix(signal) {
  const said = shown(state.pin, signal), { value: fixed } = await said.next(), found = {};
  if (fixed.error) {
    delete state.pin;
    [pinned, pinnedQuery, pinnedCharts, pinnedDrawn] = [null, null, {}, null];
    return;
  }
  [pinned, pinnedQuery, pinnedCharts] = [fixed, state.pin, found];
  const mine = pinnedDrawn = (async () => {
    for await (const { chart, values } of said) found[chart] = values;
  })();
  mine.catch(() => { if (pinnedDrawn === mine) pinnedQuery = null; });  // asked for again with the next change
}

async function draw(said, signal) {
  charts = {};
  for await (const { chart, values, instead } of said) {
    await pinnedDrawn;
    if (signal.aborted) return;
    charts[chart] = values;
    if (instead) answer.left_out[chart] = instead;
    tell("charted", chart);
  }
  tell("drawn");
  if (answer.draws === 0) return;
  const response = await fetch(`api/intervals?${query()}`, { signal });
  check(response);
  const ranges = await response.json();
  if (signal.aborted) return;
  intervals = ranges;
  tell("ranged");
}

export async function ask(begun = null) {
  asking?.abort();
  const mine = asking = new AbortController();
  tell("asked");
  try {
    const said = begun ? lines(begun) : shown(query(), mine.signal), { value: first } = await said.next();
    if (state.pin && state.pin !== pinnedQuery) await fix(mine.signal);
    else if (!state.pin) [pinned, pinnedQuery, pinnedCharts, pinnedDrawn] = [null, null, {}, null];
    if (mine.signal.aborted) return;
    complain(first.error);
    if (first.error) return;
    answer = first;
    intervals = null;
    noteAddress();
    tell("answered");
    await draw(said, mine.signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    complain(error.message === "long" ? "This scenario is too long for an address; `psmodel predict FILE` takes it."
      : error.message === "other" || error.name === "TypeError" ? "psmodel does not answer any more; is `psmodel app` still running?" : `The page itself has failed: ${error.message}`);
    if (error.message !== "long" && error.name !== "TypeError") throw error;
  }
}
