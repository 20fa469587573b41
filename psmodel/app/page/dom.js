// Small helpers for the document.

export const $ = id => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (key === "class") made.className = value;
    else if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function table(where, caption, headings, rows, numeric, bold = []) {
  const line = (name, cells) => make("tr", {}, ...cells.map((text, column) => {
    const cell = make(name, { class: numeric.includes(column) ? "number" : "" }, text);
    if (name === "th") cell.scope = "col";
    return cell;
  }));
  const lines = rows.map(cells => line("td", cells));
  lines.forEach((made, i) => made.classList.toggle("binds", Boolean(bold[i])));
  where.replaceChildren(make("caption", {}, caption), make("thead", {}, line("th", headings)), make("tbody", {}, ...lines));
}

export function save(name, text, type) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

// A sentence that begins with a key's name keeps it as it is written.
export const sentence = text => !text ? "" : (/^\w*[_.]\w|^\w+ = /.test(text) ? text : text[0].toUpperCase() + text.slice(1)) +
  (/[.!?]$/.test(text) ? "" : ".");

export function complain(text) {
  $("problem").hidden = !text;
  $("problem").textContent = sentence(text);
}
