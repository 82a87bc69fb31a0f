// The clips: all of one run, or one in all runs that are shown. Frames under a mask, and the sound.
const MASKS = {truth: "ground truth", prediction: "prediction", muted: "prediction in silence", errors: "errors", none: "none"};
const WHY = {
  worst: "Worst", best: "Best", random: "Drawn at random (the same in every run)",
  silent: "Nothing sounds (the number is the share of rightly dark pixels)",
};
let clipsShown = "", redraws = []; // what is drawn, and how its masks are switched while a sound goes on playing

function heldRuns() { // the runs of the cells that are shown, as the table has them, that have clips
  const having = new Set(page.clips.flatMap(clip => Object.keys(clip.runs).map(Number)));
  return listed().flatMap(runsOf).filter(run => having.has(page.runs.indexOf(run)));
}

function clipKey(clip) {
  return `${clip.id} ${clip.group}`;
}

function labelOf(run) { // its cell's name, with the seed where there are several
  const cell = page.cells.find(one => one.runs.includes(page.runs.indexOf(run)));
  return cell.runs.length > 1 ? `${cell.name}, seed ${run.seed}` : cell.name;
}

function chosenRun() { // of the best cell, if none was chosen
  const runs = heldRuns(), chosen = runs.find(run => labelOf(run) === get("run"));
  if (chosen || !runs.length) return chosen;
  const groups = [...new Set(shown().filter(cell => runsOf(cell).some(run => runs.includes(run))).map(cell => cell.group))];
  const best = bestOf(charted().filter(cell => cell.group === groups[0] && runsOf(cell).some(run => runs.includes(run))), get("score"));
  return best ? runsOf(best).find(run => runs.includes(run)) : runs[0];
}

function words(clip, made) { // a clip's scores, by what they mean
  if (made.why === "silent") return [`${scoreText("miou", made.miou)} % rightly dark`, `${scoreText("false_positive_rate", made.false_positive_rate)} % wrongly on`];
  const partly = made.miou_sounding !== null && clip.silent.some(Boolean);
  const miou = made.miou === null ? "" : `mIoU ${scoreText("miou", made.miou)} %`;
  return [miou + (partly ? ` (${scoreText("miou", made.miou_sounding)} % where it sounds)` : ""),
    made.fscore === null ? "" : `F ${scoreText("fscore", made.fscore)}`,
    made.false_positive_rate === null ? "" : `${scoreText("false_positive_rate", made.false_positive_rate)} % wrongly on`].filter(Boolean);
}

function picture(clip, second, tint, name) {
  const made = element("span", {className: "picture"}), source = page.media[clip.frames[second]];
  if (source) made.append(element("img", {src: source, alt: `frame ${second + 1} of ${clip.id}`}));
  else made.append(element("span", {className: "gone"}, "no frame"));
  if (page.media[tint]) made.append(element("img", {src: page.media[tint], className: "mask", alt: name}));
  if (clip.silent[second]) made.append(element("span", {className: "silent"}, "nothing sounds"));
  return made;
}

function tinted(clip, made, second) { // made: what a run made of the clip; without, the ground truth
  const mask = made ? get("mask") : "truth";
  return picture(clip, second, mask === "truth" ? clip.truth[second] : (made[mask] || [])[second], MASKS[mask]);
}

function strip(clip, made) {
  return element("div", {className: "frames"}, ...clip.frames.map((_, second) => {
    const iou = made?.seconds[second] ?? null, what = clip.silent[second] ? "dark" : "IoU";
    const text = `${second + 1} s` + (iou === null ? "" : ` · ${what} ${scoreText("miou", iou)} %`);
    const frame = element("button", {type: "button", className: "frame"}, tinted(clip, made, second), text);
    if (made) redraws.push(() => frame.firstChild.replaceWith(tinted(clip, made, second)));
    return frame;
  }));
}

function title(clip) {
  const classes = (clip.classes || []).map(([name, colour]) => {
    const swatch = element("i", {});
    swatch.style.background = colour;
    return element("span", {className: "class"}, swatch, name);
  });
  return [element("strong", {}, clip.id), clip.category.replaceAll("_", " "), ...classes];
}

function button(text, label, changes) {
  const made = element("button", {type: "button", className: "link", ariaLabel: label}, text);
  made.addEventListener("click", () => set(changes));
  return made;
}

function sound(clip, frames) {
  const source = page.media[clip.sound];
  if (!source) return element("span", {className: "about"}, "no sound");
  const audio = element("audio", {controls: true, preload: "metadata", src: source, ariaLabel: `sound of ${clip.id}`});
  const mark = () => frames.forEach((one, place) => one.classList.toggle("playing", !audio.paused && Math.floor(audio.currentTime) === place % clip.frames.length));
  ["timeupdate", "pause", "ended", "play"].forEach(name => audio.addEventListener(name, mark));
  audio.addEventListener("play", () => document.querySelectorAll("audio").forEach(other => other === audio || other.pause()));
  frames.forEach((one, place) => one.addEventListener("click", () => { audio.currentTime = place % clip.frames.length; audio.play(); }));
  return audio;
}

function runCard(clip, index) {
  const made = clip.runs[index], frames = strip(clip, made), several = Object.keys(clip.runs).length > 1;
  const header = element("header", {}, ...title(clip), ...words(clip, made).map(text => element("span", {}, text)),
    several ? button("compare runs", `Compare the runs on ${clip.id}`, {view: "clip", clip: clipKey(clip)}) : "", sound(clip, [...frames.children]));
  return element("article", {className: "clip"}, header, frames);
}

function ofRun(run) {
  const index = page.runs.indexOf(run), clips = page.clips.filter(clip => index in clip.runs);
  const kinds = [...new Set([...Object.keys(WHY), ...clips.map(clip => clip.runs[index].why)])];
  const rank = {worst: 1, best: -1, silent: 1}, value = clip => clip.runs[index].miou_sounding ?? clip.runs[index].miou ?? 0;
  return kinds.flatMap(why => {
    const found = clips.filter(clip => clip.runs[index].why === why).sort((a, b) => (rank[why] || 0) * (value(a) - value(b)));
    return found.length ? [element("h3", {}, WHY[why] || why), ...found.map(clip => runCard(clip, index))] : [];
  });
}

function ofClip(clip, runs) {
  const truth = strip(clip, null), rows = [element("header", {}, "ground truth"), truth];
  for (const run of runs) {
    const made = clip.runs[page.runs.indexOf(run)];
    if (!made) continue;
    rows.push(element("header", {}, button(labelOf(run), `All clips of ${labelOf(run)}`, {view: "run", run: labelOf(run)}),
      ...words(clip, made).map(text => element("span", {}, text))), strip(clip, made));
  }
  const grid = element("div", {className: "compared"}, ...rows);
  return [element("article", {className: "clip"}, element("header", {}, ...title(clip), sound(clip, [...grid.querySelectorAll(".frame")])), grid)];
}

function fillOptions(control, options, value) {
  const texts = options.map(([, text]) => text).join("\n");
  if (control.dataset.texts !== texts) control.replaceChildren(...options.map(([name, text]) => element("option", {value: name}, text)));
  control.dataset.texts = texts;
  control.value = value;
}

function renderClips() {
  const form = document.getElementById("clip-choices");
  if (!form) return;
  const runs = heldRuns(), indices = new Set(runs.map(run => page.runs.indexOf(run))), view = get("view");
  const clips = page.clips.filter(clip => Object.keys(clip.runs).some(index => indices.has(Number(index))));
  const run = chosenRun(), clip = clips.find(one => clipKey(one) === get("clip")) || clips[0];
  form.hidden = !clips.length;
  document.getElementById("no-clips").hidden = Boolean(clips.length) || !shown().length;
  const several = new Set(clips.map(one => one.group)).size > 1;
  fillOptions(form.elements.run, runs.map(one => [labelOf(one), labelOf(one)]), run ? labelOf(run) : "");
  fillOptions(form.elements.clip, clips.map(one => [clipKey(one), several ? clipKey(one) : one.id]), clip ? clipKey(clip) : "");
  form.elements.run.closest("label").hidden = view !== "run" || page.runs.length < 2;
  form.elements.clip.closest("label").hidden = view !== "clip";
  const now = JSON.stringify([view, view === "run" ? run && labelOf(run) : [clip && clipKey(clip), [...indices]]]);
  if (now === clipsShown) return redraws.forEach(redraw => redraw());
  clipsShown = now;
  redraws = [];
  const cards = !clips.length ? [] : view === "run" ? ofRun(run) : ofClip(clip, runs);
  document.getElementById("gallery").replaceChildren(...cards);
}
