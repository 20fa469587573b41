// Whatever scrolls can be reached by the keyboard, and has a name.
addEventListener("DOMContentLoaded", () => {
  for (const element of document.querySelectorAll(".table-wrapper, .highlight pre")) {
    element.tabIndex = 0;
    element.setAttribute("role", "region");
    element.setAttribute("aria-label", element.tagName === "PRE" ? "Code" : "Table");
  }
  // A sentence in a narrow column would be read word by word.
  for (const cell of document.querySelectorAll(".content td")) cell.classList.toggle("sentence", cell.textContent.length > 60);
  const found = document.getElementById("search-results");
  if (found && !new URLSearchParams(location.search).get("q"))
    found.innerHTML = `<form action="search.html" role="search"><label>Search these pages for
      <input type="search" name="q" required></label> <button>Search</button></form>`;
});
