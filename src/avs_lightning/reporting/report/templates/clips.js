// The clips of one cell: frames under a mask, and the sound.
function percent(name, value) {
  return value === null ? "" : `${name} ${(100 * value).toFixed(1)} %`;
}

function frame(clip, second, mask) {
  const picture = element("span", {className: "picture"});
  const source = page.media[clip.frames[second]], tint = page.media[(clip[mask] || [])[second]];
  if (source) picture.append(element("img", {src: source, alt: `frame ${second + 1} of ${clip.id}`}));
  else picture.append(element("span", {className: "gone"}, "no frame"));
  if (tint) picture.append(element("img", {src: tint, className: "mask", alt: mask}));
  const words = `${second + 1} s` + (clip.seconds[second] === null ? "" : ` · ${percent("IoU", clip.seconds[second])}`);
  return element("button", {type: "button", className: "frame"}, picture, words);
}

function clipCard(clip, mask) {
  const scores = [percent("mIoU", clip.miou), percent("F", clip.fscore), percent("FPR", clip.false_positive_rate)];
  const header = element("header", {}, element("strong", {}, clip.id), clip.category.replaceAll("_", " "),
    ...scores.filter(Boolean).map(text => element("span", {}, text)));
  const frames = clip.frames.map((_, second) => frame(clip, second, mask));
  const card = element("article", {className: "clip"}, header, element("div", {className: "frames"}, ...frames));
  const sound = page.media[clip.sound];
  header.append(sound ? withSound(sound, frames, clip) : element("span", {className: "about"}, "no sound"));
  return card;
}

function withSound(sound, frames, clip) {
  const audio = element("audio", {controls: true, preload: "metadata", src: sound, ariaLabel: `sound of ${clip.id}`});
  const mark = () => frames.forEach((one, second) =>
    one.classList.toggle("playing", !audio.paused && Math.floor(audio.currentTime) === second));
  ["timeupdate", "pause", "ended", "play"].forEach(name => audio.addEventListener(name, mark));
  audio.addEventListener("play", () => document.querySelectorAll("audio").forEach(other => other === audio || other.pause()));
  frames.forEach((one, second) => one.addEventListener("click", () => { audio.currentTime = second; audio.play(); }));
  return audio;
}

function showClips(form) {
  const clips = page.clips[form.elements.cell.value], mask = form.elements.mask.value;
  document.getElementById("gallery").replaceChildren(...[...new Set(clips.map(clip => clip.why))].flatMap(why =>
    [element("h3", {}, why), ...clips.filter(clip => clip.why === why).map(clip => clipCard(clip, mask))]));
}

function switchMask(form) { // in place, so that a sound goes on playing
  const clips = page.clips[form.elements.cell.value], mask = form.elements.mask.value;
  document.querySelectorAll("#gallery .clip").forEach((card, index) =>
    card.querySelectorAll(".picture").forEach((picture, second) =>
      picture.replaceWith(frame(clips[index], second, mask).firstChild)));
}

function startClips() {
  const form = document.getElementById("clip-choices");
  if (!form) return;
  form.addEventListener("input", event => event.target.name === "mask" ? switchMask(form) : showClips(form));
  form.addEventListener("submit", event => event.preventDefault());
  showClips(form);
}
