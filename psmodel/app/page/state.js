// The state is what differs from the scenario's own values, as people write it. The address bar holds it, the server
// computes every number (api/answer), and all other modules only show the last answer.
import { complain } from "./dom.js";

export let state = Object.fromEntries(new URLSearchParams(location.search));  // key → text
export let answer = null;
export let intervals = null;  // metric → [low, high] of that answer, after its charts; null until then
export let charts = {};       // the curves, map and prices of that answer, which come after it, one by one
export let pinned = null;     // the answer of the pinned scenario
export let pinnedCharts = {};
let pinnedQuery = null;
let asking = null;
const listeners = { asked: [], answered: [], charted: [], drawn: [], ranged: [] };

// "asked": the state has changed; "answered": there is a new answer; "charted": and one of its charts; "drawn": all of
// them; "ranged": and the intervals.
export const on = (event, listener) => listeners[event].push(listener);
const tell = (event, ...about) => listeners[event].forEach(listener => listener(...about));

export function query({ only = state } = {}) {
  return new URLSearchParams(Object.entries(only).filter(([key]) => key !== "pin")).toString();
}

const address = () => `?${new URLSearchParams(state)}`;

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
export const first = get(`api/answer?${query()}`);
first.catch(() => {});  // told by `ask`, which waits for it

async function get(path, signal) {
  const response = await fetch(path, { signal });
  if (!(response.headers.get("content-type") ?? "").includes("json"))
    throw new Error(response.status === 400 || response.status === 414 ? "long" : "other");
  return response.json();
}

async function chart(signal) {
  const asked = query();
  charts = {};
  const names = ["shards", "workers", "map", "front"];
  const begun = names.map(name => name in answer.left_out ? null : get(`api/charts/${name}?${asked}`, signal));
  begun.forEach(promise => promise?.catch(() => {}));  // told where it is waited for
  for (const [i, name] of names.entries()) {
    if (pinned && (name === "shards" || name === "workers") && !(name in pinned.left_out))
      pinnedCharts[name] ??= await get(`api/charts/${name}?${pinnedQuery}`, signal);
    const drawn = await begun[i];
    if (signal.aborted) return;
    charts[name] = drawn;
    tell("charted", name);
  }
  tell("drawn");
  if (answer.draws === 0) return;
  const ranges = await get(`api/intervals?${asked}`, signal);
  if (signal.aborted) return;
  intervals = ranges;
  tell("ranged");
}

export async function ask(begun = null) {
  asking?.abort();
  const mine = asking = new AbortController();
  tell("asked");
  try {
    const said = await (begun ?? get(`api/answer?${query()}`, mine.signal));
    if (state.pin && state.pin !== pinnedQuery) {
      const fixed = await get(`api/answer?${state.pin}`, mine.signal);
      [pinned, pinnedQuery, pinnedCharts] = fixed.error ? [null, null, {}] : [fixed, state.pin, {}];
      if (fixed.error) delete state.pin;
    } else if (!state.pin) [pinned, pinnedQuery, pinnedCharts] = [null, null, {}];
    if (mine.signal.aborted) return;
    complain(said.error);
    if (said.error) return;
    answer = said;
    intervals = null;
    history.replaceState(null, "", address());
    tell("answered");
    await chart(mine.signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    complain(error.message === "long" ? "This scenario is too long for an address; `psmodel predict FILE` takes it."
      : error.message === "other" || error.name === "TypeError" ? "psmodel does not answer any more; is `psmodel app` still running?" : `The page itself has failed: ${error.message}`);
    if (error.message !== "long" && error.name !== "TypeError") throw error;
  }
}
