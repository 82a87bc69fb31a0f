// Which cells are shown, which are pointed out, and in which colours.
const COLOURS = 10, FEW = 12, NONE = "–";

function runsOf(cell) {
  const seed = get("by.seed");
  return cell.runs.map(index => page.runs[index]).filter(run => !seed || String(run.seed) === seed);
}

function valuesOf(cell, name) {
  if (name === "data") return [cell.group];
  if (name === "state") return runsOf(cell).map(run => run.state);
  if (name === "seed") return cell.runs.map(index => String(page.runs[index].seed));
  return [cell.parameters[name] || NONE];
}

function filterNames() { // what can be filtered by: of which there are several values
  const names = ["data", ...page.axes, "seed", "state"].filter((name, index, all) => all.indexOf(name) === index);
  const parts = new Set(); // what divides the cells as another does is offered once
  return names.filter(name => {
    const values = page.cells.map(cell => valuesOf(cell, name).join(" ")), part = values.map(value => values.indexOf(value)).join(" ");
    return choicesOf(name).length > 1 && (name === "seed" || (!parts.has(part) && parts.add(part)));
  });
}

function choicesOf(name) {
  return [...new Set(page.cells.flatMap(cell => valuesOf(cell, name)))];
}

function fits(cell) {
  const words = get("find").toLowerCase().split(/\s+/).filter(Boolean);
  const text = [cell.name, cell.group, ...Object.values(cell.parameters), ...valuesOf(cell, "state")].join(" ").toLowerCase();
  return words.every(word => text.includes(word))
    && filterNames().every(name => !get(`by.${name}`) || valuesOf(cell, name).includes(get(`by.${name}`)));
}

function shown() {
  return page.cells.filter(fits);
}

function charted() { // what others only start from is compared with the rest by no chart, unless it is chosen
  const cells = shown(), own = cells.filter(cell => !cell.parent);
  return own.length ? own : cells;
}

function pinned() {
  return new Set(get("pin").split(" ").filter(Boolean).map(Number));
}

function pin(index) {
  const now = pinned();
  now.has(index) ? now.delete(index) : now.add(index);
  set({pin: [...now].join(" ")});
}

function colourBy() { // of many cells the first axis, since no one tells thirty colours apart
  const name = get("colour");
  if (name) return name === "cell" ? "" : name;
  return page.cells.length > FEW ? filterNames().find(other => !["seed", "state"].includes(other)) || "" : "";
}

function colourOf(cell) {
  const name = colourBy();
  return name ? choicesOf(name).indexOf(valuesOf(cell, name)[0]) : page.cells.indexOf(cell);
}

function inWords() {
  const chosen = filterNames().filter(name => get(`by.${name}`)).map(name => `${name} ${get(`by.${name}`)}`);
  return [get("find") ? `“${get("find")}”` : "", ...chosen].filter(Boolean).join(", ");
}

function select(name, label, options) {
  const control = element("select", {}, ...options.map(([value, text]) => element("option", {value}, text)));
  control.dataset.state = name;
  return element("label", {}, label, control);
}

function renderFilters() {
  const form = document.getElementById("filters"), place = document.getElementById("choices");
  if (!place.children.length && page.cells.length > 1) {
    place.append(...filterNames().map(name => select(`by.${name}`, name, [["", "all"], ...choicesOf(name).map(value => [value, value])])));
    const colours = filterNames().filter(name => !["seed", "state"].includes(name));
    place.append(select("colour", "Colour by", [["", "as fits"], ["cell", "cell"], ...colours.map(name => [name, name])]));
    fillControls();
  }
  const count = shown().length, none = page.cells.length && !count;
  document.getElementById("count").value = page.cells.length > 1 ? `${count} of ${page.cells.length} cells` : "";
  document.querySelectorAll(".empty").forEach(notice => {
    notice.hidden = !none;
    notice.querySelector("b").textContent = inWords();
  });
  form.querySelector(".reset").disabled = !Object.keys(state).length;
  const names = colourBy() ? choicesOf(colourBy()) : page.cells.length > 1 && page.cells.length <= FEW ? page.cells.map(cell => cell.name) : [];
  document.getElementById("key").replaceChildren(...names.map((name, index) => {
    const swatch = element("i");
    swatch.style.setProperty("--colour", `var(--c${index % COLOURS})`);
    return element("li", {}, swatch, name);
  }));
  document.querySelectorAll("#config tr[data-cell]").forEach(row => { row.hidden = !fits(page.cells[row.dataset.cell]); });
}
