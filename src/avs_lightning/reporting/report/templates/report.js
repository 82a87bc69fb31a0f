"use strict";
// The page's data, its table, and the start. Texts from files enter the page as text, never as HTML.
const page = JSON.parse(document.getElementById("data").textContent);

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function sortable(table) {
  const headings = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
    const numeric = heading.classList.contains("number");
    const now = heading.getAttribute("aria-sort");
    // Of numbers the highest come first, of words those in front.
    const order = now === "none" ? (numeric ? "descending" : "ascending") : now === "ascending" ? "descending" : "ascending";
    headings.forEach(other => other.setAttribute("aria-sort", other === heading ? order : "none"));
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compare(a.cells[column].dataset.value, b.cells[column].dataset.value, numeric, order));
    table.tBodies[0].append(...rows);
  }));
}

function compare(a, b, numeric, order) {
  if (a === "" || b === "") return (a === "") - (b === ""); // what is missing stays at the end
  const sign = order === "ascending" ? 1 : -1;
  return sign * (numeric ? Number(a) - Number(b) : a.localeCompare(b, "en", {numeric: true}));
}

function hideable(table) {
  document.getElementById("columns").addEventListener("input", event =>
    table.classList.toggle(`no-${event.target.value}`, !event.target.checked));
}

document.addEventListener("DOMContentLoaded", () => {
  sortable(document.getElementById("runs"));
  hideable(document.getElementById("runs"));
  startFilters();
  startCharts();
  startClips();
});
