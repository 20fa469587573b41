// Start: make every part, then show each answer.
import { figure } from "./charts.js";
import { makeChooser, makeSliders, showControls } from "./controls.js";
import { draw } from "./curves.js";
import { $ } from "./dom.js";
import { makeFiles, showFiles } from "./files.js";
import { makeForm, showForm } from "./form.js";
import { makeWanted, showComparison, showHeadline, showNotes, showWhy } from "./headline.js";
import { makeSentence, showSentence } from "./sentence.js";
import { drawTimeline, forget, makeSimulation, simulateIfNeeded } from "./simulation.js";
import { ask, charts, first, on, pin, state } from "./state.js";
import { onThemeOrSize } from "./units.js";

const [scenarios, form] = await Promise.all(["api/scenarios", "api/form"].map(async path => (await fetch(path)).json()));
makeChooser(scenarios);
makeSliders();
makeSentence();
makeWanted();
makeForm(form);
makeFiles();
makeSimulation(showHeadline);
figure("shards", "Iteration time against shards");
figure("workers", "Iteration time against workers");
figure("map", "What binds");
figure("front", "Cost against time");
figure("timeline", "One simulated iteration", { holder: $("timeline") });
if (!state.file) state.scenario ??= scenarios[0].name;
for (const key of ["target", "budget"]) $(key).value = state[key] ?? "";
$("pin").addEventListener("click", () => pin(!state.pin));
for (const id of ["controls", "wanted"]) $(id).addEventListener("submit", event => event.preventDefault());

on("asked", () => {
  forget();
  $("results").setAttribute("aria-busy", "true");
});
on("answered", () => {
  showHeadline();
  showSentence();
  showControls(scenarios);
  showForm();
  showWhy();
  showComparison();
  showFiles();
  simulateIfNeeded();
});
on("charted", draw);
on("drawn", () => $("results").removeAttribute("aria-busy"));
on("ranged", showNotes);
onThemeOrSize(() => {
  Object.keys(charts).forEach(draw);
  drawTimeline();
});
await ask(first);
