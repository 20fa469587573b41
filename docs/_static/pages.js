// Whatever scrolls can be reached by the keyboard, and has a name.
addEventListener("DOMContentLoaded", () => {
  for (const element of document.querySelectorAll(".table-wrapper, .highlight pre")) {
    element.tabIndex = 0;
    element.setAttribute("role", "region");
    element.setAttribute("aria-label", element.tagName === "PRE" ? "Code" : "Table");
  }
});
