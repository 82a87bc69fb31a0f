// Scores: a cell's is the mean of its seeds. What they are called and how they are written stands in page.scores.
const MISSING = "–", OWN = "true";

function metric(score = get("score")) {
  return page.scores[score].has_protocol ? `${score}_${get("protocol")}` : score;
}

function stats(values) {
  const known = values.filter(value => value !== undefined && value !== null), n = known.length;
  if (!n) return {n: 0, mean: null, std: null};
  const mean = known.reduce((sum, value) => sum + value, 0) / n;
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {n, mean, std: n > 1 ? Math.sqrt(squares / (n - 1)) : null};
}

function scoreOf(cell, sound = OWN, score = get("score")) {
  return stats(runsOf(cell).map(run => run.scores[sound]?.[metric(score)]));
}

function scoreText(score, value, signed = false) {
  if (value === null || value === undefined) return MISSING;
  const {scale, decimals} = page.scores[score], text = Math.abs(scale * value).toFixed(decimals);
  const sign = !Number(text) ? "" : value < 0 ? "−" : signed ? "+" : "";
  return sign + (scale === 1 ? text.replace(/^0\./, ".") : text);
}

function meanText({mean, std}, write) {
  return mean === null ? MISSING : std === null ? write(mean) : `${write(mean)} ± ${write(std)}`;
}

function heard() { // the sounds that any run was tested with: its own, the known ones, then others
  const found = new Set(page.runs.flatMap(run => Object.keys(run.scores)));
  const known = Object.keys(page.sounds).filter(sound => found.delete(sound));
  return [...known, ...[...found].sort()];
}

function soundName(sound) {
  return page.sounds[sound] || sound;
}

function bestOf(cells, score) { // the mean over seeds decides, never a single seed
  const {higher_is_better: higher} = page.scores[score], scored = cells.filter(cell => scoreOf(cell, OWN, score).mean !== null);
  const sign = higher ? 1 : -1;
  return scored.sort((a, b) => sign * (scoreOf(b, OWN, score).mean - scoreOf(a, OWN, score).mean))[0];
}

function verdict(cell) { // in words: does it need the sound?
  const own = scoreOf(cell).mean, sign = page.scores[get("score")].higher_is_better ? 1 : -1;
  const other = ["muted", "noise", "swapped"].map(sound => [sound, scoreOf(cell, sound).mean]);
  const known = other.filter(([, value]) => value !== null);
  if (own === null || !known.length) return null;
  const kept = known.filter(([, value]) => sign * (own - value) < page.loss / 100).map(([sound]) => soundName(sound));
  if (!kept.length) return "listens: it loses with every false sound";
  return kept.length === known.length ? "does not listen: a false sound costs it nothing"
    : `listens in part: ${kept.join(" and ")} costs it nothing`;
}

function tile(name, value, ...of) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, element("strong", {}, value),
    ...of.filter(Boolean).map(words => element("span", {}, words))));
}

function bestTiles(group, several) {
  const score = get("score"), best = bestOf(shown().filter(cell => cell.group === group), score);
  if (!best) return [];
  const own = scoreOf(best), write = value => scoreText(score, value);
  const place = several ? `, ${group}` : "", alone = page.cells.length === 1;
  const seeds = own.n > 1 ? `mean ± deviation of ${own.n} seeds` : runsOf(best).length > 1 ? "one seed" : "";
  const tiles = [tile(`${alone ? "" : "best "}${page.scores[score].title}${place}`, meanText(own, write), alone ? "" : best.name, seeds)];
  const silence = scoreOf(best, "muted");
  if (silence.n) tiles.push(tile(`the same in silence${place}`, meanText(silence, write), verdict(best)));
  return tiles;
}

function renderTiles() {
  const cells = shown().filter(cell => !cell.parent), runs = cells.flatMap(runsOf), groups = [...new Set(cells.map(cell => cell.group))];
  const rest = runs.filter(run => run.state !== "done").map(run => run.state);
  const seconds = runs.map(run => run.cost.train_seconds).filter(value => value !== undefined);
  const total = seconds.reduce((sum, value) => sum + value, 0);
  const counts = [...new Set(rest)].map(name => `${rest.filter(other => other === name).length} ${name}`).join(", ");
  const tiles = groups.slice(0, 3).flatMap(group => bestTiles(group, groups.length > 1));
  if (page.runs.length > 1) tiles.unshift(tile("runs done", `${runs.length - rest.length} of ${runs.length}`, counts || "all"));
  if (seconds.length) tiles.push(tile("training, in all", total >= 7200 ? `${(total / 3600).toFixed(1)} h`
    : total >= 60 ? `${(total / 60).toFixed(1)} min` : `${total.toFixed(0)} s`, page.runs.length > 1 ? `${seconds.length} of ${runs.length} runs` : ""));
  document.getElementById("tiles").replaceChildren(...tiles);
}
