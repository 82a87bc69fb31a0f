// Which runs are shown, which are pointed out, and in which colours.
const COLOURS = 10, FEW = 12;
const shown = new Set(page.runs.keys()), pinned = new Set();
let colourBy = "";

function valueOf(run, axis) {
  return axis in run.parameters ? run.parameters[axis] : axis === "seed" ? run.seed : axis === "state" ? run.state : "";
}

function colourOf(index) {
  const values = colourValues();
  return values ? values.indexOf(valueOf(page.runs[index], colourBy)) : index;
}

function colourValues() {
  return colourBy ? [...new Set(page.runs.map(run => valueOf(run, colourBy)))] : null;
}

function filter(form) {
  const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const selects = [...form.querySelectorAll("select[data-axis]")].filter(select => select.value);
  page.runs.forEach((run, index) => {
    const text = [run.label, run.state, ...Object.values(run.parameters)].join(" ").toLowerCase();
    const fits = words.every(word => text.includes(word))
      && selects.every(select => "=" + valueOf(run, select.dataset.axis) === select.value);
    fits ? shown.add(index) : shown.delete(index);
  });
  colourBy = form.elements.colour.value.slice(1);
  document.querySelectorAll("tr[data-run]").forEach(row => { row.hidden = !shown.has(Number(row.dataset.run)); });
  document.getElementById("count").value = `${shown.size} of ${page.runs.length} cells`;
  paintKey();
  drawCharts();
}

function paintKey() {
  document.querySelectorAll("#runs tr[data-run]").forEach(row =>
    row.style.setProperty("--colour", `var(--c${colourOf(Number(row.dataset.run)) % COLOURS})`));
  const names = colourValues() || (page.runs.length <= FEW ? page.runs.map(run => run.label) : []);
  document.getElementById("key").replaceChildren(...names.map((name, index) => {
    const swatch = element("i");
    swatch.style.setProperty("--colour", `var(--c${index % COLOURS})`);
    return element("li", {}, swatch, name || "–");
  }));
}

function pin(button) {
  const index = Number(button.closest("tr").dataset.run);
  pinned.has(index) ? pinned.delete(index) : pinned.add(index);
  button.setAttribute("aria-pressed", pinned.has(index));
  drawCharts();
}

function startFilters() {
  const form = document.getElementById("filters");
  if (!form) return;
  if (page.runs.length > FEW) {
    const usable = [...form.elements.colour.options].find(option => option.value && option.value !== "=seed");
    if (usable) usable.defaultSelected = usable.selected = true;
  }
  form.addEventListener("input", () => filter(form));
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { // after the fields have changed
    pinned.clear();
    document.querySelectorAll(".dot").forEach(dot => dot.setAttribute("aria-pressed", false));
    filter(form);
  }));
  document.querySelectorAll(".dot").forEach(dot => dot.addEventListener("click", () => pin(dot)));
  filter(form);
}
