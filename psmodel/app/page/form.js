// A form for every key of a scenario, made from its JSON schema: groups that open, tables and lists within them.
// What is being typed may be refused as it stands (a list that is half written), so the form keeps it until it is right.
import { $, make } from "./dom.js";
import { answer, change, state } from "./state.js";
import { rate, size, time } from "./units.js";

let form = null;
// The server writes quantities exactly, in SI units; people read them rounded. What is not edited stays exact.
const FORMATS = { B: size, "B/s": rate, s: time };
function shown(value) {
  const [, digits, unit] = String(value ?? "").match(/^([\d.e+-]+) (B|B\/s|s)$/) ?? [];
  return unit ? FORMATS[unit](Number(digits)) : value ?? "";
}

const resolved = schema => schema.$ref ? resolved({ ...form.schema.$defs[schema.$ref.split("/").at(-1)], ...without(schema, "$ref") }) : schema;
const without = (object, gone) => Object.fromEntries(Object.entries(object).filter(([key]) => key !== gone));

// What kind of value a schema describes: {kind, optional, …}.
function kindOf(given) {
  const schema = resolved(given);
  if (schema.discriminator) return { kind: "union", of: schema.discriminator.mapping, optional: false };
  if (schema.anyOf) {
    const inner = schema.anyOf.filter(s => s.type !== "null"), optional = inner.length < schema.anyOf.length;
    const union = inner.find(s => s.discriminator), tables = inner.map(kindOf).filter(is => is.kind === "table");
    if (union) return { ...kindOf(union), optional };
    if (tables.length === 1 && inner.length === 2)
      return { kind: "either", table: tables[0], example: inner.find(s => s.examples).examples[0], optional };
    if (inner.length === 1) return { ...kindOf(inner[0]), optional };
    return { kind: "quantity", example: schema.examples?.[0] ?? "", optional };
  }
  if (schema.enum) return { kind: "choice", values: schema.enum };
  if (schema.const !== undefined) return { kind: "constant", value: schema.const };
  if (schema.type === "boolean") return { kind: "switch" };
  if (schema.type === "object") return { kind: "table", properties: schema.properties, required: schema.required ?? [] };
  if (schema.type === "array") return { kind: "list", items: schema.items };
  return { kind: schema.type, schema };
}

// A first value of a table or list's item, to be edited from there: it has what it needs.
function begin(given) {
  const schema = resolved(given), is = kindOf(given);
  switch (is.kind) {
    case "table": return Object.fromEntries(is.required.map(key => [key, begin(is.properties[key])]));
    case "choice": return is.values[0];
    case "quantity": return is.example;
    case "integer": return schema.minimum ?? 1;
    case "number": return schema.minimum ?? (schema.maximum ?? (schema.exclusiveMinimum ?? 0) + 1);
    case "string": return schema.description?.match(/``([^`]+)``/)?.[1] ?? "";
    default: return null;
  }
}

const parsed = text => /^[[{]/.test(text) ? JSON.parse(text) : text;
function valueOf(key) {
  if (key in state && state[key] !== "null") return parsed(state[key]);
  if (key in state) return undefined;
  const value = answer.scenario[key];
  const rates = key === "bandwidth" && value ? new Set(Object.values(value)) : null;
  return rates?.size === 1 ? [...rates][0] : value;
}
const written = value => value === null || value === undefined ? "null" : typeof value === "object" ? JSON.stringify(value) : String(value);
const label = key => key.replaceAll("_", " ");

export function makeForm(given) {
  form = given;
  for (const group of form.groups) {
    const box = make("div", { class: "fields" });
    const holder = make("details", {}, make("summary", {}, make("span", {}, group.name), make("small")), box);
    $("groups").append(holder);
    Object.assign(group, { holder, box });
    holder.addEventListener("toggle", () => showGroup(group));
  }
}

export function showForm() {
  form.groups.forEach(showGroup);
}

function showGroup(group) {
  const set = group.keys.filter(({ key }) => answer.scenario[key] !== undefined);
  group.holder.querySelector("small").textContent = set.length ? set.map(({ key }) => label(key)).join(", ") : "as usual";
  if (!group.holder.open) return;
  // Whoever has gone on to the next field while the server answered keeps what is typed there.
  const { id, value, type, selectionStart, selectionEnd } = document.activeElement ?? {};
  group.box.replaceChildren(...group.keys.map(entry => field(entry)));
  const again = id?.startsWith("f-") && group.box.querySelector(`#${CSS.escape(id)}`);
  if (!again) return;
  again.focus();
  if (type !== "text" || again.type !== "text") return;
  again.value = value;
  again.setSelectionRange(selectionStart, selectionEnd);
}

function field({ key, label: name, remarks }) {
  const schema = form.schema.properties[key];
  const set = value => change({ [key]: value === "" ? "" : written(value) }).then(showForm);
  const made = make("div", { class: "field" }, ...editor(schema, valueOf(key), set, `f-${key}`, name));
  const help = [schema.description?.replaceAll("`", ""), ...remarks].filter(Boolean).join(" ");
  if (help) made.append(make("p", { class: "help" }, help));
  return made;
}

// Elements that show a value and call `set` with another one (undefined: none).
function editor(schema, value, set, id, name) {
  const is = kindOf(schema), title = make("label", { htmlFor: id }, name);
  switch (is.kind) {
    case "choice": {
      const select = make("select", { id }, ...(is.optional ? [new Option("–", "")] : []), ...is.values.map(v => new Option(v)));
      select.value = value ?? schema.default ?? "";
      select.addEventListener("change", () => set(select.value || undefined));
      return [title, select];
    }
    case "switch": {
      const box = make("input", { type: "checkbox", id, checked: value === true || value === "true" });
      box.addEventListener("change", () => set(box.checked));
      return [make("label", { class: "switch", htmlFor: id }, box, ` ${name}`)];
    }
    case "table": return tableEditor(schema, is, value, set, id, name);
    case "either": return eitherEditor(is, value, set, id, title, schema);
    case "list": return listEditor(is, value ?? [], set, id, name, schema);
    case "union": return unionEditor(is, value, set, id, name);
    default: return plain(is, value, set, id, title, schema);
  }
}

function plain(is, value, set, id, title, schema) {
  const input = make("input", { type: "text", id, spellcheck: false, autocomplete: "off",
    value: shown(value), placeholder: placeholder(is, schema) });
  input.addEventListener("change", () => {
    const text = input.value.trim();
    const number = is.kind === "integer" || is.kind === "number";
    set(text === "" ? undefined : number && Number.isFinite(Number(text)) ? Number(text) : text);
  });
  return [title, input];
}

function placeholder(is, schema) {
  const usual = resolved(schema).default;
  if (usual !== undefined && usual !== null && typeof usual !== "object") return usual === 0 && is.kind === "quantity" ? `none, or like ${is.example}` : String(usual);
  return is.example ? `like ${is.example}` : "none";
}

function tableEditor(schema, is, value, set, id, name) {
  const box = make("input", { type: "checkbox", id, checked: value !== undefined });
  box.addEventListener("change", () => set(box.checked ? begin(schema.anyOf?.find(s => s.$ref) ?? schema) : undefined));
  const head = make("label", { class: "switch", htmlFor: id }, box, ` ${name}`);
  return value === undefined ? [head] : [head, inner(is, value, set, id)];
}

// One value for all parts of a table, or one for each.
function eitherEditor(is, value, set, id, title, schema) {
  const whole = typeof value === "object" && value !== null;
  const other = make("button", { type: "button", class: "quiet" }, whole ? "One value for all" : "A value for each direction");
  other.addEventListener("click", () => set(whole ? Object.values(value)[0]
    : Object.fromEntries(Object.keys(is.table.properties).map(key => [key, value ?? is.example]))));
  if (!whole) return [...plain(is, value, set, id, title, schema), other];
  return [make("span", { class: "label" }, title.textContent), inner(is.table, value, set, id), other];
}

function inner(is, value, set, id, skip = []) {
  const fields = Object.entries(is.properties).filter(([key, s]) => !skip.includes(key) && kindOf(s).kind !== "constant" && key !== "file");
  return make("div", { class: "inner" }, ...fields.map(([key, s]) => make("div", { class: "field" },
    ...editor(s, value[key] ?? undefined, v => set(v === undefined || v === "" ? without(value, key) : { ...value, [key]: v }), `${id}-${key}`, label(key)),
    ...(s.description ? [make("p", { class: "help" }, s.description.replaceAll("`", ""))] : []))));
}

function listEditor(is, value, set, id, name, schema) {
  if (kindOf(is.items).kind !== "table") {
    const input = make("input", { type: "text", id, placeholder: "none, or like 1, 1, 2", spellcheck: false,
      value: Array.isArray(value) ? value.join(", ") : value });
    input.addEventListener("change", () => {
      const texts = input.value.split(",").map(t => t.trim()).filter(Boolean);
      const numbers = texts.map(t => Number.isFinite(Number(t)) ? Number(t) : t);
      set(texts.length ? numbers : schema.anyOf ? undefined : []);
    });
    return [make("label", { htmlFor: id }, name), input];
  }
  const items = value.map((item, i) => {
    const others = () => value.filter((_, j) => j !== i);
    const gone = make("button", { type: "button", class: "quiet", "aria-label": `Remove ${name} ${i + 1}` }, "Remove");
    gone.addEventListener("click", () => set(others()));
    return make("fieldset", {}, make("legend", {}, `${name} ${i + 1}`), inner(kindOf(is.items), item,
      changed => set(value.map((old, j) => j === i ? changed : old)), `${id}-${i}`), gone);
  });
  const add = make("button", { type: "button", id, class: "quiet" }, `Add to ${name.toLowerCase()}`);
  add.addEventListener("click", () => set([...value, begin(is.items)]));
  return [make("span", { class: "label" }, name), ...items, add];
}

// A time that may vary: its distribution and the numbers of that one.
function unionEditor(is, value, set, id, name) {
  const now = typeof value === "object" && value !== null ? value : { kind: "deterministic", value: value ?? "0 s" };
  const select = make("select", { id }, ...Object.keys(is.of).map(kind => new Option(kind)));
  select.value = now.kind ?? "deterministic";
  const first = now.mean ?? now.value ?? now.minimum, mean = first === undefined || parseFloat(first) === 0 ? "80 ms" : first;
  select.addEventListener("change", () => {
    const made = begin({ $ref: is.of[select.value] });
    for (const key of ["value", "mean", "minimum"]) if (key in made) made[key] = mean;
    for (const key of ["cv", "shape"]) if (key in made) made[key] = key === "cv" ? 0.3 : 3;
    if ("sd" in made) made.sd = "10 ms";
    if (select.value === "empirical") made.samples = [mean];
    set({ kind: select.value, ...made });
  });
  const table = kindOf({ $ref: is.of[select.value] });
  return [make("label", { htmlFor: id }, name), select, inner(table, now, set, id, ["kind"])];
}
