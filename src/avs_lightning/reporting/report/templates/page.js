"use strict";
// The page's data, its state, which stands in the address, and the start. Texts from files enter as text, never as HTML.
const page = JSON.parse(document.getElementById("data").textContent);
const DEFAULTS = {score: page.score, protocol: page.protocol, view: "run", mask: "prediction"};
let state = {};

function get(name) {
  return state[name] ?? DEFAULTS[name] ?? "";
}

function set(changes) {
  Object.assign(state, changes);
  for (const [name, value] of Object.entries(state)) if (value === (DEFAULTS[name] ?? "")) delete state[name];
  const address = new URLSearchParams(state).toString();
  history.replaceState(null, "", address ? `#${address}` : location.href.replace(/#.*/, ""));
  render();
}

function readAddress() {
  const text = location.hash.slice(1);
  state = text.includes("=") ? Object.fromEntries(new URLSearchParams(text)) : text ? {at: text} : {};
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function render() {
  fillControls();
  renderFilters();
  renderTiles();
  renderTable();
  renderCharts();
  renderClips();
  renderRuns();
}

function fillControls() { // every control that has a place in the state
  document.querySelectorAll("[data-state]").forEach(control => {
    const value = get(control.dataset.state);
    if (control.type === "radio") control.checked = control.value === value;
    else if (control.type === "checkbox") control.checked = !value.split(" ").includes(control.value);
    else if (control.value !== value) control.value = value;
  });
}

function readControl(control) {
  const name = control.dataset.state;
  if (control.type !== "checkbox") return {[name]: control.value};
  const off = document.querySelectorAll(`[data-state="${name}"]:not(:checked)`);
  return {[name]: [...off].map(other => other.value).join(" ")};
}

function goTo(place) {
  document.getElementById(place)?.scrollIntoView();
}

document.addEventListener("DOMContentLoaded", () => {
  readAddress();
  startTable();
  startCharts();
  document.addEventListener("input", event => event.target.dataset.state && set(readControl(event.target)));
  document.querySelectorAll("form").forEach(form => form.addEventListener("submit", event => event.preventDefault()));
  document.addEventListener("click", event => {
    if (event.target.closest(".reset")) { state = {}; set({}); }
    const link = event.target.closest("nav a");
    if (!link) return;
    event.preventDefault();
    set({at: link.hash.slice(1)});
    goTo(link.hash.slice(1));
  });
  addEventListener("hashchange", () => { readAddress(); render(); });
  render();
  if (get("at")) goTo(get("at"));
});
