// The table of cells: a row a cell, a part a data set, every number with its value for sorting and its text for reading.
const GROUPS = {scores: "its own sound", probes: "with another sound", parameters: "", cost: "cost"};
const COSTS = [
  ["epochs", "epochs", 1, 0, "epochs trained"],
  ["train min", "train_seconds", 1 / 60, 1, "minutes of training"],
  ["clips/s", "clips_per_second", 1, 1, "clips a second in training, all processes"],
  ["memory MiB", "peak_memory_mib", 1, 0, "peak memory: the GPU's where there is one, else the process's"],
  ["parameters M", "parameters", 1e-6, 2, "millions of parameters"],
];

function columns() {
  const score = get("score"), write = value => scoreText(score, value), protocol = `protocol ${get("protocol")}`;
  const scores = Object.entries(page.scores).map(([name, {title, about, has_protocol}]) => ({
    key: name, title, group: "scores", score: name, about: about + (has_protocol ? `, ${protocol}` : ""),
    read: cell => { const found = scoreOf(cell, OWN, name); return [meanText(found, value => scoreText(name, value)), found.mean]; },
  }));
  const probes = heard().filter(sound => sound !== OWN).flatMap(sound => [
    {key: `${sound}`, title: soundName(sound), group: "probes", about: `${page.scores[score].title} with this sound`,
     read: cell => { const found = scoreOf(cell, sound); return [meanText(found, write), found.mean]; }},
    {key: `${sound} change`, title: "change", group: "probes", about: `change of ${page.scores[score].title} with this sound: ${soundName(sound)}`,
     read: cell => { const [own, other] = [scoreOf(cell).mean, scoreOf(cell, sound).mean];
       return own === null || other === null ? [MISSING, null] : [scoreText(score, other - own, true), other - own]; }},
  ]);
  const parameters = page.axes.map(axis => ({key: `axis ${axis}`, title: axis, group: "parameters", words: !numeric(axis),
    read: cell => { const text = cell.parameters[axis]; return [text || MISSING, text ? (numeric(axis) ? Number(text) : text) : null]; }}));
  const costs = COSTS.map(([title, name, scale, digits, about]) => ({key: name, title, group: "cost", about, read: cell => {
    const {mean} = stats(runsOf(cell).map(run => run.cost[name]));
    return mean === null ? [MISSING, null] : [(mean * scale).toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits}), mean];
  }}));
  const several = page.cells.some(cell => cell.runs.length > 1);
  const seeds = several ? [{key: "seeds", title: "seeds", group: "parameters", about: "seeds that are done, of those planned", read: cell => {
    const n = runsOf(cell).filter(run => run.state === "done").length, all = runsOf(cell).length;
    return [n === all ? `${n}` : `${n} of ${all}`, n];
  }}] : [];
  const hidden = get("hide").split(" ");
  return [...scores, ...probes, ...parameters, ...seeds, ...costs].filter(column => !hidden.includes(column.group));
}

function numeric(axis) {
  const texts = page.cells.map(cell => cell.parameters[axis]).filter(Boolean);
  return texts.length > 0 && texts.every(text => Number.isFinite(Number(text)));
}

function sorted(cells) {
  const [, down, key] = get("sort").match(/^(-?)(.*)$/), column = columns().find(one => one.key === key);
  if (!key || (key !== "cell" && !column)) return cells;
  const value = cell => column ? column.read(cell)[1] : cell.name, sign = down ? -1 : 1;
  return [...cells].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return (x === null) - (y === null); // what is missing stays at the end
    return sign * (typeof x === "number" ? x - y : x.localeCompare(y, "en", {numeric: true}));
  });
}

function listed() { // as the table has them: part by part, sorted within
  const cells = shown(), groups = [...new Set(page.cells.map(cell => cell.group))];
  return groups.flatMap(group => sorted(cells.filter(cell => cell.group === group)));
}

function heading(column) {
  const {key, title, about, words} = column, now = get("sort");
  const order = now === key ? "ascending" : now === `-${key}` ? "descending" : "none";
  const button = element("button", {type: "button", title: about || "", ariaLabel: about ? `${title}: ${about}` : title}, title);
  // Of numbers the highest come first, of words those in front.
  button.addEventListener("click", () => { set({sort: order === "none" ? (words ? key : `-${key}`) : order === "ascending" ? `-${key}` : key}); refocus(key); });
  button.dataset.key = key;
  return element("th", {scope: "col", ariaSort: order, className: `${column.group || ""} ${words ? "" : "number"}`}, button);
}

function refocus(key) { // the table was made anew
  [...document.querySelectorAll("#cells-table [data-key]")].find(button => button.dataset.key === key)?.focus();
}

function nameOf(cell) {
  const index = page.cells.indexOf(cell), runs = runsOf(cell), open = runs.filter(run => run.state !== "done");
  const dot = element("button", {type: "button", className: "dot", ariaPressed: pinned().has(index), ariaLabel: `Point out ${cell.name} in the charts`});
  dot.dataset.key = `pin ${index}`;
  dot.style.setProperty("--colour", `var(--c${colourOf(cell) % COLOURS})`);
  dot.addEventListener("click", () => { pin(index); refocus(`pin ${index}`); });
  return element("th", {scope: "row"}, page.cells.length > 1 ? dot : "", cell.name, ...open.map(badge));
}

function badge(run) {
  const share = run.fraction === null ? "" : ` ${Math.round(100 * run.fraction)} %`;
  const known = ["done", "running", "failed", "blocked"].includes(run.state) ? run.state : "";
  return element("span", {className: `badge ${known}`, title: run.note}, ` ${run.state}${share}`);
}

function row(cell, found, best) {
  const entries = found.map((column, place) => {
    const [text, value] = column.read(cell), first = column.group !== found[place - 1]?.group;
    const wins = column.score && text !== MISSING && best[column.score] === meanOnly(text);
    const shownText = wins ? element("b", {title: "the best here"}, text) : text;
    return element("td", {className: `${column.group} ${column.words ? "" : "number"} ${value === null ? "absent" : ""} ${first ? "first" : ""}`}, shownText);
  });
  return element("tr", {}, nameOf(cell), ...entries);
}

function meanOnly(text) {
  return text.split(" ")[0];
}

function part(group, found) {
  const cells = sorted(shown().filter(cell => cell.group === group)), body = element("tbody");
  if (!cells.length) return body;
  const best = {};
  if (cells.length > 1) for (const name of Object.keys(page.scores)) { // ties are all the best
    const first = bestOf(cells, name);
    if (first) best[name] = scoreText(name, scoreOf(first, OWN, name).mean);
  }
  if (new Set(page.cells.map(cell => cell.group)).size > 1)
    body.append(element("tr", {className: "part"}, element("th", {scope: "rowgroup"}, group), element("td", {colSpan: found.length})));
  body.append(...cells.map(cell => row(cell, found, best)));
  return body;
}

function renderTable() {
  const found = columns(), spans = [];
  found.forEach(column => column.group === spans.at(-1)?.group ? spans.at(-1).span++ : spans.push({group: column.group, span: 1}));
  const above = spans.map(({group, span}) => element("th", {scope: "colgroup", colSpan: span, className: `first ${group}`}, GROUPS[group]));
  const cell = {key: "cell", title: page.cells.length > 1 ? "cell" : "run", words: true};
  const head = element("thead", {}, element("tr", {className: "groups"}, element("td"), ...above), element("tr", {}, heading(cell), ...found.map(heading)));
  const groups = [...new Set(page.cells.map(one => one.group))];
  document.getElementById("cells-table").replaceChildren(head, ...groups.map(group => part(group, found)));
  document.getElementById("by-protocol").textContent = `${get("protocol")} (${page.protocols[get("protocol")]})`;
}

function csvText() { // a line a run, every score it has: for other programs, not for reading
  const runs = listed().flatMap(cell => runsOf(cell).map(run => [cell, run]));
  const scores = [...new Set(page.runs.flatMap(run => Object.entries(run.scores).flatMap(([sound, found]) => Object.keys(found).map(name => `${sound}/${name}`))))];
  const costs = COSTS.map(([, name]) => name);
  const lines = runs.map(([cell, run]) => [cell.name, ...page.axes.map(axis => cell.parameters[axis] ?? ""), run.seed, run.state, run.data, run.fingerprint,
    run.synthetic ?? "", ...scores.map(key => { const [sound, name] = split(key); return run.scores[sound]?.[name] ?? ""; }),
    ...costs.map(name => run.cost[name] ?? ""), run.folder]);
  const header = ["cell", ...page.axes, "seed", "state", "data", "fingerprint", "synthetic", ...scores, ...costs, "folder"];
  return [header, ...lines].map(line => line.map(quoted).join(",")).join("\r\n") + "\r\n";
}

function split(key) {
  const at = key.lastIndexOf("/");
  return [key.slice(0, at), key.slice(at + 1)];
}

function quoted(value) {
  return /[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
}

function startTable() {
  document.getElementById("csv").addEventListener("click", () => {
    const link = element("a", {href: URL.createObjectURL(new Blob([csvText()], {type: "text/csv"})), download: "cells.csv"});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}
